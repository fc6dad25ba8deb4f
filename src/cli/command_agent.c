/* SPDX-License-Identifier: MIT
 *
 * command_agent.c: the process behind a mount of a cell's volume; pactfs mount starts it.
 */
#include <sys/prctl.h>

#include <sys/prctl.h>

#include "cli/cli.h"
#include "node/client/client.h"

int command_agent(const struct arguments *arguments)
{
    prctl(PR_SET_NAME, "pactfs"); /* as in command_serve */
    char home[HOME_PATH_MAX], dir[HOME_PATH_MAX];
    struct store_error error = {""};
    const char *ready = option_value(arguments, "--ready-fd");
    struct client_options options = {.home = home,
                                     .volume = arguments->words[0],
                                     .dir = dir,
                                     .allow_other = option_given(arguments, "--allow-other"),
                                     .background = ready != NULL,
                                     .ready_fd = -1};
    prctl(PR_SET_NAME, "pactfs"); /* as pactfs mount starts it, the kernel would call it "exe" */
    if (ready && (options.ready_fd = ready_descriptor(ready)) < 0)
        return complain("--ready-fd names no open descriptor; it is for pactfs mount");
    if (resolve_home(option_value(arguments, "--home"), home, &error) != OK ||
        resolve_path(arguments->words[1], dir, &error) != OK)
        return complain("%s", error.text);
    return client_serve(&options);
}
