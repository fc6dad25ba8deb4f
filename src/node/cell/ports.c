/* SPDX-License-Identifier: MIT */
#include "node/cell/ports.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS_FROM 20000u
#define PORTS_END  32000u
#define TRIES      200u

bool port_free(uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;
    bool six = fd >= 0;
    if (!six)
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    if (six)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    bool free_now = six ? bind(fd, (struct sockaddr *)&any, sizeof any) == 0
                        : bind(fd, (struct sockaddr *)&any4, sizeof any4) == 0;
    close(fd);
    return free_now;
}

/* The first port that the kernel may give to any connection. */
static unsigned first_ephemeral(void)
{
    unsigned first = 32768;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file && fscanf(file, "%u", &first) != 1)
        first = 32768;
    if (file)
        fclose(file);
    return first;
}

uint16_t ports_choose(unsigned count)
{
    unsigned from = PORTS_FROM, end = first_ephemeral(), chance = (unsigned)getpid();
    if (end > PORTS_END)
        end = PORTS_END;
    if (end < from + 1000) { /* a machine that was set up otherwise: between it and the system's */
        from = 1024;
        end = end < from + 1000 ? PORTS_END : end;
    }
    for (unsigned i = 0; i < TRIES; i++) {
        unsigned n = 0;
        (void)!getrandom(&chance, sizeof chance, GRND_NONBLOCK);
        unsigned first = from + (chance + i) % (end - from - count);
        while (n < count && port_free((uint16_t)(first + n)))
            n++;
        if (n == count)
            return (uint16_t)first;
    }
    return 0;
}
