/* Load for an echo server that costs its core little: less than redis-benchmark does.

       cc -O2 -o load load.c
       ./load PORT CONNECTIONS DEPTH SIZE MILLISECONDS

   Each of CONNECTIONS clients keeps DEPTH messages of SIZE bytes under way: for each that has come
   back whole it sends another.  With DEPTH 0 each sends one, reads it, closes, and is replaced by
   a new one.  Every byte that comes back is compared.

   After MILLISECONDS it prints how many messages have come back, the seconds that went by, and
   the rate in each slice of 5 ms: a stall of the machine spoils its slice, and not the others.

   If it was the load that stalled, answers lie there when it goes on, and it would count more of
   them in the next slice than the server has sent meanwhile.  So a slice ends when hardly any are
   left, if that comes within 20 ms, and not before it has 250 messages.

   One thread, one epoll instance, one recv() and one send() a turn: that costs about what the C
   server does for it, so that whatever costs more than the C server is what one measures. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (256 * 1024)
#define SLICE 0.005   /* seconds */
#define LONGEST 0.020 /* seconds, if the load is behind */
#define LEAST 250     /* messages of a slice */
#define PATIENCE 5    /* seconds */

struct client {
    int fd, waits;    /* for room to send */
    size_t due;       /* bytes that may be sent now */
    size_t sent, got; /* bytes, since it has connected */
};

static struct sockaddr_in address;
static char *pattern; /* SIZE bytes, again and again, ROOM bytes longer than a message */
static char buffer[ROOM];
static size_t size, depth;
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void connect_anew(struct client *client) {
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address))
        fail("cannot connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->sent = client->got = client->waits = 0;
    client->due = size * (depth ? depth : 1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event))
        fail("epoll_ctl");
}

static void give(struct client *client) {
    while (client->due) {
        size_t most = client->due < ROOM ? client->due : ROOM;
        ssize_t count = send(client->fd, pattern + client->sent % size, most,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN)
            fail("cannot send");
        if (count < 0)
            break;
        client->sent += count;
        client->due -= count;
    }
    int waits = client->due > 0;
    if (waits != client->waits) {
        client->waits = waits;
        struct epoll_event event = {.events = EPOLLIN | (waits ? EPOLLOUT : 0),
                                    .data.ptr = client};
        if (epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event))
            fail("epoll_ctl");
    }
}

/* How many messages have come back whole with this one recv(). */
static size_t take(struct client *client) {
    ssize_t count = recv(client->fd, buffer, ROOM, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return 0;
    if (count < 0)
        fail("cannot receive");
    if (count == 0 || memcmp(buffer, pattern + client->got % size, count)) {
        fprintf(stderr, "%s\n", count ? "other bytes came back" : "the server has hung up");
        exit(1);
    }
    size_t before = client->got / size;
    client->got += count;
    return client->got / size - before;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS DEPTH SIZE MILLISECONDS\n", argv[0]);
        return 2;
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connections = atoi(argv[2]);
    depth = atoi(argv[3]);
    size = atoi(argv[4]);
    double seconds = atoi(argv[5]) / 1e3;

    unsigned random = 1;
    struct client *clients = calloc(connections, sizeof *clients);
    struct epoll_event *events = calloc(connections, sizeof *events);
    if (connections < 1 || size < 1 || !clients || !events || !(pattern = malloc(size + ROOM))) {
        fprintf(stderr, "no such load\n");
        return 2;
    }
    for (size_t i = 0; i < size + ROOM; i++)
        if (i >= size)
            pattern[i] = pattern[i - size];
        else
            pattern[i] = (random = random * 1103515245 + 12345) >> 16;

    if ((poller = epoll_create1(0)) < 0)
        fail("epoll_create1");
    for (int i = 0; i < connections; i++)
        connect_anew(&clients[i]);

    int slices = 0, most = seconds / SLICE;
    double *rates = calloc(most + 1, sizeof *rates);
    double began = now(), slice = began, time;
    size_t echoes = 0, before = 0;
    int behind = 0;
    for (int i = 0; i < connections; i++)
        give(&clients[i]);
    while ((time = now()) - began < seconds || !echoes) {
        if (time - slice >= (behind ? LONGEST : SLICE) && echoes - before >= LEAST &&
            slices < most) {
            rates[slices++] = (echoes - before) / (time - slice);
            before = echoes;
            slice = time;
        }
        int ready = epoll_wait(poller, events, connections, PATIENCE * 1000);
        behind = ready > connections / 4;
        if (ready == 0) {
            fprintf(stderr, "nothing came back for %d seconds\n", PATIENCE);
            return 1;
        }
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                size_t whole = take(client);
                echoes += whole;
                if (!depth && whole) {
                    close(client->fd);
                    connect_anew(client);
                } else if (depth) {
                    client->due += whole * size;
                }
            }
            give(client);
        }
    }
    printf("%zu %.6f\n", echoes, time - began);
    for (int i = 0; i < slices; i++)
        printf("%.0f ", rates[i]);
    printf("\n");
}
