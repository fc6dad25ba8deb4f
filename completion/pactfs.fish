# SPDX-License-Identifier: MIT
set -l commands up down status explain scrub mount umount sync clean checkpoint serve init invite join nodes leave volume \
    certificates demo check record sim help
set -l verbs create list show set delete restore move
set -l trials kill stop cont cut heal status down
complete -c pactfs -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l mount -r -d "where to mount"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -x -l cache -d "memory for the index, as 256M"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l allow-other -d "open it to other users"
complete -c pactfs -n "__fish_seen_subcommand_from up serve" -l rebuild-index -d "make the index again from the log"
complete -c pactfs -n "__fish_seen_subcommand_from up status explain scrub" -l json -d "print JSON"
set -l cell status explain scrub mount umount invite nodes leave volume certificates
complete -c pactfs -n "__fish_seen_subcommand_from $cell" -r -l home -d "of this machine in its cell"
complete -c pactfs -n "__fish_seen_subcommand_from init join invite nodes leave volume certificates demo" -l json -d "print JSON"
complete -c pactfs -n "__fish_seen_subcommand_from mount" -l allow-other -d "open it to other users"
complete -c pactfs -n "__fish_seen_subcommand_from init join" -x -l listen -d "where others reach this machine"
complete -c pactfs -n "__fish_seen_subcommand_from init join" -x -l name -d "of this machine"
complete -c pactfs -n "__fish_seen_subcommand_from init join" -l no-start -d "only make the home"
complete -c pactfs -n "__fish_seen_subcommand_from init" -x -l cell -d "the cell's name"
complete -c pactfs -n "__fish_seen_subcommand_from init" -x -l etcd -d "an etcd that exists"
complete -c pactfs -n "__fish_seen_subcommand_from invite" -l client -d "it may mount"
complete -c pactfs -n "__fish_seen_subcommand_from invite" -l administrator -d "it may administer"
complete -c pactfs -n "__fish_seen_subcommand_from invite" -x -l minutes -d "how long the code is good"
complete -c pactfs -n "__fish_seen_subcommand_from invite" -x -l uid -d "acts as this user"
complete -c pactfs -n "__fish_seen_subcommand_from certificates" -x -l revoke -d "refuse it from now on"
complete -c pactfs -n "__fish_seen_subcommand_from volume; and not __fish_seen_subcommand_from $verbs" -f -a "$verbs"
complete -c pactfs -n "__fish_seen_subcommand_from volume" -r -l contract -d "a preset or a file"
complete -c pactfs -n "__fish_seen_subcommand_from volume" -x -l on -d "nodes for the copies"
complete -c pactfs -n "__fish_seen_subcommand_from volume" -l yes -d "do not ask"
complete -c pactfs -n "__fish_seen_subcommand_from volume" -l watch -d "until all copies are there"
complete -c pactfs -n "__fish_seen_subcommand_from demo; and not __fish_seen_subcommand_from $trials" -f -a "$trials"
complete -c pactfs -n "__fish_seen_subcommand_from demo" -r -l dir -d "of the homes"
complete -c pactfs -n "__fish_seen_subcommand_from demo" -r -l mount -d "where to mount"
complete -c pactfs -n "__fish_seen_subcommand_from demo" -l keep -d "the data"
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
