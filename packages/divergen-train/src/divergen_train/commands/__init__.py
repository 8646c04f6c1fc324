"""The subcommands of ``divergen-train``, a file each."""
