// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a spectatord line costs: lines_bench [IDS]
// Read only, and received over a Unix datagram socket in batches of 60 from another process; CPU of this
// process alone. A tenth are timers, two tenths gauges, the rest counters, of IDS ids (10,000).
#include "telemetry/telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH   60
#define BATCHES 20000
#define ROUNDS  5

static struct str *batches;

static int make_batches(unsigned ids)
{
    batches = calloc(BATCHES, sizeof *batches);
    FAIL_IF(!batches, ERR_NOMEM, "batches");
    uint64_t seed = 1;
    for (size_t i = 0; i < BATCHES; i++) {
        struct buf text = {0};
        for (int k = 0; k < BATCH; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            unsigned id = (unsigned)(seed >> 33) % ids;
            buf_printf(
                &text,
                "%c:server.requests.%u,nf.app=www,nf.cluster=www-main,id=%u:%u%s\n",
                id % 10 == 0  ? 't'
                : id % 10 < 3 ? 'g'
                              : 'c',
                id % 50, id, (unsigned)(seed >> 60), id % 10 == 0 ? ".125" : "");
        }
        TRY(text.err);
        batches[i] = buf_view(&text);
    }
    return 0;
}

static void report(const char *what, int64_t cpu_us, int64_t lines)
{
    printf("%-32s %8.0f ns a line, %.2f M lines/s on one core\n", what,
           (double)cpu_us * 1000 / (double)lines, (double)lines / (double)cpu_us);
}

static void read_only(struct telemetry_intake *intake)
{
    int64_t least = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t began = clock_cpu_us();
        for (size_t i = 0; i < BATCHES; i++) {
            telemetry_intake_lines(intake, batches[i]);
        }
        least = MIN(least, clock_cpu_us() - began);
    }
    report("read", least, (int64_t)BATCHES * BATCH);
}

static int send_all(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    TRY(str_copy(to.sun_path, sizeof to.sun_path, str_of(path)));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        return err_fail_errno("%s", path);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        if (send(fd, batches[i].data, batches[i].len, 0) < 0) {
            return err_fail_errno("sending");
        }
    }
    close(fd);
    return 0;
}

static int received(struct telemetry_intake *intake, const char *path)
{
    AUTO(telemetry_receiver_stop) struct telemetry_receiver *receiver = NULL;
    AUTO(cstr_free) char *address = NULL;
    TRY(cstr_printf(&address, "unix://%s", path));
    uint64_t before = telemetry_intake_counts(intake).lines;
    TRY(telemetry_receiver_start(&receiver, intake, address));
    int64_t began = clock_cpu_us(), began_wall = clock_mono_us();
    pid_t child = fork();
    if (child == 0) {
        _exit(send_all(path) < 0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    FAIL_IF(status != 0, ERR_IO, "the sender failed");
    telemetry_receiver_stop(&receiver);
    int64_t cpu = clock_cpu_us() - began, wall = clock_mono_us() - began_wall;
    int64_t lines = (int64_t)(telemetry_intake_counts(intake).lines - before);
    FAIL_IF(lines != (int64_t)BATCHES * BATCH, ERR_INTERNAL, "%lld lines came",
            (long long)lines);
    report("received over a Unix socket", cpu, lines);
    printf("%-32s %.2f M lines/s\n", "  sender and receiver, wall",
           (double)lines / (double)wall);
    return 0;
}

static int run(const char *dir, unsigned ids)
{
    AUTO(telemetry_close) struct telemetry *store = NULL;
    AUTO(telemetry_intake_free) struct telemetry_intake *intake = NULL;
    AUTO(cstr_free) char *series = NULL, *path = NULL;
    TRY(cstr_printf(&series, "%s/series", dir));
    TRY(cstr_printf(&path, "%s/series.sock", dir));
    TRY(telemetry_open(&store, &(struct telemetry_config){.dir = series}));
    TRY(telemetry_intake_new(&intake, &(struct telemetry_intake_config){.store = store}));
    TRY(make_batches(ids));
    read_only(intake);
    for (int round = 0; round < ROUNDS; round++) {
        TRY(received(intake, path));
    }
    int64_t began = clock_cpu_us(), now = clock_wall_us() / 1000;
    TRY(telemetry_intake_flush(intake, now + 60000 - now % 60000));
    printf("%-32s %8.0f us for %u meters\n", "the flush of a step",
           (double)(clock_cpu_us() - began), ids);
    struct telemetry_intake_counts counts = telemetry_intake_counts(intake);
    FAIL_IF(counts.malformed || counts.bad_value || counts.over_limit, ERR_INTERNAL,
            "lines were dropped");
    return 0;
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/lines-bench-XXXXXX";
    int64_t ids = 10000;
    if (!mkdtemp(dir) || (argc > 1 && str_to_i64(str_of(argv[1]), 1, 400000, &ids) < 0)) {
        fprintf(stderr, "lines_bench [IDS]\n");
        return 2;
    }
    int err = run(dir, (unsigned)ids);
    if (err < 0) {
        fprintf(stderr, "lines_bench: %s: %s\n", err_name(err), err_reason());
    }
    fs_remove_tree(dir);
    return err < 0;
}
