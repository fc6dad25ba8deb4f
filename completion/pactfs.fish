# SPDX-License-Identifier: MIT
set -l commands up down status explain scrub mount umount sync clean checkpoint serve help
complete -c pactfs -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l mount -r -d "where to mount"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -x -l cache -d "memory for the index, as 256M"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l allow-other -d "open it to other users"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l rebuild-index -d "make the index again from the log"
complete -c pactfs -n "__fish_seen_subcommand_from up status explain scrub" -l json -d "print JSON"
complete -c pactfs -n "__fish_seen_subcommand_from $commands" -l help -d "about this command"
complete -c pactfs -n "__fish_seen_subcommand_from help" -f -a "$commands"
