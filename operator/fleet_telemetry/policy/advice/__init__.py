"""What the author of a policy should know at once: likely mistakes that the API server accepts.

Pure: a policy and what runs now in, sentences out. None of them refuses anything, because a policy
may be written before the workloads that it is for.
"""
