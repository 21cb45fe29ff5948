// SPDX-License-Identifier: Apache-2.0
//
// The process itself, from /proc/self: two small reads and a count a flush.
#include "meter/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_SECONDS 20 // gauges of a process that ended do not stay for long

struct process_watch {
    struct meter *meter;
    struct meter_gauge *rss, *cpu, *files, *threads;
    struct meter_monotone_uint *lost, *refused;
    int64_t cpu_us, mono_us; // at the last flush
};

void process_watch_free(struct process_watch **w)
{
    free(TAKE(*w));
}

// The n-th number of a line, behind the last ')' where there is one: the program's name may hold
// anything.
static bool read_number(const char *path, unsigned nth, double *ret)
{
    char text[1024];
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    const char *name_end = strrchr(text, ')');
    struct str rest = str_trim(str_of(name_end ? name_end + 1 : text)), word = {0};
    for (unsigned i = 0; i <= nth; i++) {
        if (!str_next(&rest, ' ', &word)) {
            return false;
        }
    }
    int64_t number = 0;
    if (str_to_i64(word, 0, INT64_MAX, &number) < 0) {
        return false;
    }
    *ret = (double)number;
    return true;
}

// Kernels from 6.2 on tell the count as the folder's size; before, it is 0 and one looks.
static bool count_files(double *ret)
{
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        *ret = (double)st.st_size;
        return true;
    }
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        return false;
    }
    double count = -1; // its own
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.';
    }
    closedir(dir);
    *ret = count;
    return true;
}

static void look(void *user)
{
    struct process_watch *w = user;
    int64_t cpu_us = clock_cpu_us(), mono_us = clock_mono_us();
    struct meter_stats stats = meter_stats(w->meter);
    double n = 0;
    meter_monotone_uint_set(w->lost, stats.lost);
    meter_monotone_uint_set(w->refused, stats.refused);
    if (mono_us > w->mono_us) {
        meter_gauge_set(w->cpu,
                        (double)(cpu_us - w->cpu_us) / (double)(mono_us - w->mono_us));
    }
    w->cpu_us = cpu_us;
    w->mono_us = mono_us;
    if (read_number("/proc/self/statm", 1, &n)) {
        meter_gauge_set(w->rss, n * (double)sysconf(_SC_PAGESIZE));
    }
    if (read_number("/proc/self/stat", 17, &n)) { // num_threads; 0 is the state
        meter_gauge_set(w->threads, n);
    }
    if (count_files(&n)) {
        meter_gauge_set(w->files, n);
    }
}

struct name {
    char text[NAME_BYTES_MAX];
};

static struct name name_of(const char *prefix, const char *what)
{
    struct name n;
    snprintf(n.text, sizeof n.text, "%s.%s", prefix, what);
    return n;
}

static struct meter_gauge *gauge(struct meter *m, const char *prefix, const char *what,
                                 const struct meter_tag *tags)
{
    return meter_gauge_of(m, name_of(prefix, what).text, tags, LAST_SECONDS);
}

static struct meter_monotone_uint *total(struct meter *m, const char *prefix,
                                         const char *what, const struct meter_tag *tags)
{
    return meter_monotone_uint_of(m, name_of(prefix, what).text, tags);
}

void meter_watch_process(struct meter *m, const char *prefix,
                         const struct meter_tag *tags)
{
    if (!m || !m->listens || m->process ||
        !(m->process = calloc(1, sizeof *m->process))) {
        return;
    }
    *m->process =
        (struct process_watch){.meter = m,
                               .lost = total(m, prefix, "meter.lost", tags),
                               .refused = total(m, prefix, "meter.refused", tags),
                               .rss = gauge(m, prefix, "rss", tags),
                               .cpu = gauge(m, prefix, "cpu", tags),
                               .files = gauge(m, prefix, "files", tags),
                               .threads = gauge(m, prefix, "threads", tags),
                               .cpu_us = clock_cpu_us(),
                               .mono_us = clock_mono_us()};
    meter_on_flush(m, look, m->process);
}
