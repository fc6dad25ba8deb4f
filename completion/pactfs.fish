# SPDX-License-Identifier: MIT
set -l commands up down status explain scrub mount umount sync clean checkpoint serve check record sim help
complete -c pactfs -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l mount -r -d "where to mount"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -x -l cache -d "memory for the index, as 256M"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l allow-other -d "open it to other users"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l rebuild-index -d "make the index again from the log"
complete -c pactfs -n "__fish_seen_subcommand_from up status explain scrub" -l json -d "print JSON"
complete -c pactfs -n "__fish_seen_subcommand_from check" -F
complete -c pactfs -n "__fish_seen_subcommand_from check" -x -l promise -d "which promises, by commas"
complete -c pactfs -n "__fish_seen_subcommand_from check" -l all -d "all that say something of such a history"
complete -c pactfs -n "__fish_seen_subcommand_from check" -r -l svg -d "draw what is broken"
complete -c pactfs -n "__fish_seen_subcommand_from check" -x -l steps -d "how long a search may take"
complete -c pactfs -n "__fish_seen_subcommand_from check" -l promises -d "list promises and anomalies"
complete -c pactfs -n "__fish_seen_subcommand_from check" -l json -d "print JSON"
complete -c pactfs -n "__fish_seen_subcommand_from record" -x -l workload -a "register list set counter bank tree"
for option in clients keys operations seconds seed
    complete -c pactfs -n "__fish_seen_subcommand_from record" -x -l $option
end
complete -c pactfs -n "__fish_seen_subcommand_from record" -r -l output -d "where the history goes"
complete -c pactfs -n "__fish_seen_subcommand_from record" -l fsync -d "after every change"
complete -c pactfs -n "__fish_seen_subcommand_from record" -l keep -d "leave the folder"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -F
for option in seeds seed jobs set minutes hours patience
    complete -c pactfs -n "__fish_seen_subcommand_from sim" -x -l $option
end
complete -c pactfs -n "__fish_seen_subcommand_from sim" -r -l history -d "where the history goes"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -r -l svg -d "where the picture goes"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l transcript -d "all that happens"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l trace -d "a hash of all that happens"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l no-shrink -d "leave the failure as it is"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l keep-going -d "beyond a failure"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l list -d "scenarios and systems"
complete -c pactfs -n "__fish_seen_subcommand_from sim" -l json -d "print JSON"
complete -c pactfs -n "__fish_seen_subcommand_from $commands" -l help -d "about this command"
complete -c pactfs -n "__fish_seen_subcommand_from help" -f -a "$commands"
