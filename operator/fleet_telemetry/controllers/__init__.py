"""The controller: decides for every workload, writes what it may, and says where things stand."""
