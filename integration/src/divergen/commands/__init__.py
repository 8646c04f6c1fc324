"""The subcommands of `divergen`, by what they are for; each module is light to import."""
