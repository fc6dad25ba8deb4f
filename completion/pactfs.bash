# SPDX-License-Identifier: MIT
_pactfs() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'up down status explain scrub mount umount sync clean checkpoint serve init
            invite join nodes leave volume certificates demo check record sim help --help --version' -- "$word")
        return
    fi
    case $command in
    up) options='--mount --cache --allow-other --rebuild-index --json --help' ;;
    serve) options='--mount --cache --allow-other --rebuild-index --help' ;;
    status | explain | scrub) options='--home --json --help' ;;
    mount) options='--home --allow-other --help' ;;
    umount) options='--home --help' ;;
    init) options='--listen --name --cell --etcd --no-start --json --help' ;;
    join) options='--listen --name --no-start --json --help' ;;
    invite) options='--client --administrator --minutes --uid --home --json --help' ;;
    nodes | leave) options='--home --json --help' ;;
    certificates) options='--revoke --home --json --help' ;;
    volume) options='--contract --on --yes --watch --home --json --help' ;;
    demo) options='--dir --mount --keep --json --help' ;;
    check) options='--promise --all --svg --steps --promises --json --help' ;;
    record) options='--workload --clients --keys --operations --seconds --seed --fsync --keep --output --help' ;;
    sim) options='--seeds --seed --jobs --set --minutes --hours --patience --transcript --trace --history --svg --no-shrink
        --keep-going --list --json --help' ;;
    help) options='up down status explain scrub mount umount sync clean checkpoint serve init invite join nodes leave volume
        certificates demo check record sim' ;;
    *) options='--help' ;;
    esac
    if [ "${COMP_WORDS[COMP_CWORD - 1]}" = --workload ]; then
        mapfile -t COMPREPLY < <(compgen -W 'register list set counter bank tree' -- "$word")
    elif [ "$COMP_CWORD" = 2 ] && [ "$command" = volume ]; then
        mapfile -t COMPREPLY < <(compgen -W 'create list show set delete restore move' -- "$word")
    elif [ "$COMP_CWORD" = 2 ] && [ "$command" = demo ] && [[ $word != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'kill stop cont cut heal status down' -- "$word")
    elif [ "$command" = volume ] && [[ $word != -* ]] && [ "${COMP_WORDS[COMP_CWORD - 1]}" != --contract ]; then
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -W 'replicas= least= read= failover= replace=' -- "$word")
    elif [[ $command == check || $command == sim ]] && [[ $word != -* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [ "$command" = help ] || [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    fi
}
complete -F _pactfs pactfs
