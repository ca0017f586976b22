/*
 * CRIU's action script. CRIU gives the UTS namespace that it joins the source's hostname; before the restored process runs again it is the pod's own.
 * Part of the agent's bundle, static; the name comes from enter, which read it before CRIU began.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  const char *action = getenv("CRTOOLS_SCRIPT_ACTION"), *hostname = getenv("CRYOPOD_HOSTNAME");
  if (action == NULL || strcmp(action, "pre-resume") != 0) return 0;
  if (hostname == NULL || sethostname(hostname, strlen(hostname)) != 0) { perror("hostname"); return 1; }
  return 0;
}
