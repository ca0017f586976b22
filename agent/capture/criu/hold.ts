/**
 * CRIU's --action-script. In `post-dump` every task is dumped and still seized: the script says so, then waits for one word. `go` lets CRIU
 * finish as its options say. Where several containers are captured together there is a hold before: in `network-lock` every task is seized
 * and nothing is dumped yet, and `dump` comes when that is so in every container (CRIU itself locks no network, see arguments.ts). Anything else fails the script, and CRIU undoes everything and sets the tree running: another word, end of
 * file (the agent died, its end of the pipe went with it), or the time limit (the agent was stopped or hangs).
 * `wait` begins the time limit anew: one of several may be held for as long as the memory of another takes.
 * CRIU closes every descriptor above 2 before it starts the script, but holds the pipes itself: they are opened again through its own
 * /proc entry, which for an unnamed pipe never waits for the other side, as a named one would. The builtin read takes no byte beyond its line,
 * where head would swallow the next word.
 */
export const holdScript = `#!/bin/sh
case "$CRTOOLS_SCRIPT_ACTION" in
network-lock) [ -n "$CRYOPOD_TOGETHER" ] || exit 0; notice=seized expected=dump ;;
post-dump) notice=held expected=go ;;
*) exit 0 ;;
esac
hear() { timeout -s KILL "$1" sh -c 'read -r word && echo "$word"' </proc/$PPID/fd/7; }
echo "$notice" >/proc/$PPID/fd/8 || exit 1
word=wait
while [ "$word" = wait ]; do word=$(hear "$CRYOPOD_HOLD_LIMIT_SECONDS") || exit 1; done
[ "$word" = "$expected" ]
`;

/**
 * What becomes CRIU, given its command line as arguments. A here-document of a shell is an unnamed pipe: descriptor 7 is its reading end
 * (the writer is closed), 8 is opened as the writing end of another. The agent opens the missing sides through /proc/PID/fd, moves the
 * process into a cgroup of its own, notes it in the journal and only then says \`start\`; if it dies before, the read ends with an error.
 * The lock on descriptor 9 is held as long as CRIU or its script lives: two agents of one node cannot dump the same container at once. A lock
 * file is removed after use, so holding the lock only counts while the file still has its name.
 * Two signals are ignored from here on, so that CRIU sees an error where it would have been ended: PIPE, from a page server that is gone, and XFSZ, from
 * the file size limit by which a dump is cut short (cut.ts).
 */
export const launchScript = `
trap '' PIPE XFSZ
exec 7<<WORD
WORD
exec 8<<NOTICE
NOTICE
exec 8>/proc/self/fd/8
echo launched
exec >&2
read -r word || exit 101
[ "$word" = start ] || exit 101
exec 9>>"$CRYOPOD_LOCK_FILE" || exit 102
flock -n 9 && [ /proc/self/fd/9 -ef "$CRYOPOD_LOCK_FILE" ] || exit 102
exec </dev/null "$@"
`;

/** The descriptor on which CRIU finds the page server, where there is one. */
export const pageServerDescriptor = 3;

/** Exit codes of the launch script itself; CRIU ends with 0, 1 or 255. */
export const launchExitCodes = { neverStarted: 101, locked: 102 } as const;
