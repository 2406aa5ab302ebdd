"""The command line of training: `jianke-train`."""
