/* SPDX-License-Identifier: MIT
 *
 * command_agent.c: the process behind a mount of a cell's volume; pactfs mount starts it.
 */
#include "cli/cli.h"

int command_agent(const struct arguments *arguments)
{
    (void)arguments;
    return complain("not there yet");
}
