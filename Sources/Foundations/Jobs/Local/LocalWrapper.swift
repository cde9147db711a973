/// The shell program that stands between this process and a local job, so that the job survives our end: it notes who
/// it is, keeps a bounded log, and writes the exit code to a file.
enum LocalWrapper {
    /// Its arguments: the folder, the most bytes of the log, the niceness, the working directory, the most memory in
    /// KiB or nothing, then the command.
    ///
    /// The process id is noted by a hard link, which fails where there is one already: of two wrappers of one
    /// execution only one runs the command. The process that writes the log ignores SIGTERM, so that what a job says
    /// while it ends is kept.
    static let script = #"""
        folder=$1 most=$2 nice=$3 place=$4 memory=$5
        shift 5
        umask 077
        read -r boot </proc/sys/kernel/random/boot_id
        echo "$$ $(cut -d' ' -f22 /proc/$$/stat) $boot" >"$folder/pid.$$" || exit 125
        ln "$folder/pid.$$" "$folder/pid" 2>/dev/null || { rm -f "$folder/pid.$$"; exit 125; }
        rm -f "$folder/pid.$$"
        trap : TERM INT HUP
        (
            trap : TERM INT HUP
            (
                trap - TERM INT HUP
                cd "$place" || exit 126
                if [ -n "$memory" ]; then ulimit -v "$memory" || exit 126; fi
                exec nice -n "$nice" "$@"
            ) 2>&1 &
            child=$!
            while :; do
                wait $child
                code=$?
                kill -0 $child 2>/dev/null || break
            done
            { echo $code; times; } >"$folder/exit.new" && mv "$folder/exit.new" "$folder/exit"
        ) </dev/null | (
            trap '' TERM INT HUP
            dd bs=65536 count="$most" iflag=count_bytes status=none
            if [ "$(head -c 1 | wc -c)" = 1 ]; then
                printf '\n[the log ends here: it has reached its limit of %s bytes]\n' "$most"
                cat >/dev/null
            fi
        ) >"$folder/log" 2>/dev/null
        """#
}
