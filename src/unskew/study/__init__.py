"""Many runs and what to compare among them: expanding, executing, storing, choosing."""
