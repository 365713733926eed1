"""Events to traits to cohorts: who are the learners?"""
