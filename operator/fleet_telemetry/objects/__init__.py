"""Reading Kubernetes objects as they come: manifests, and kinds of object."""
