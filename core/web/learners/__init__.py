"""The pages Cohorts and Learner: runs read, drawn, started and stopped."""
