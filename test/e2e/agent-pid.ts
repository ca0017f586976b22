/**
 * Shell words that print the pid of a node's agent, for a script run on that node. The brackets keep
 * the pattern from matching the very shell that runs it, which comes first once the pids have wrapped.
 */
export const findAgentPid = "pgrep -f '[d]ist/agent/main.js' | head -1";
