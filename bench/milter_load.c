/* Plays Postfix's side of many milter sessions in one thread, from scripts that milter_load.py has compiled, so that
 * the generator costs a fraction of any milter. A script is a run of segments: octets to write, and whether an answer
 * is due after them. What the milter sends back is counted, and kept for some messages so that it can be verified.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_SECONDS 60
#define SERIAL_DIGITS 12
#define MAX_ERRORS 1000

/* The structures down to run_t are milter_load.py's too. */
typedef struct {
    uint64_t offset, length;
    int32_t wait;   /* an answer is due */
    int32_t body;   /* a part of the body: passed over after SMFIR_SKIP */
    int64_t serial; /* where in the segment the message's number goes, or -1 */
} segment_t;

typedef struct {
    uint32_t first, count;
} script_t;

typedef struct {
    uint32_t template, verdict;
    uint64_t serial;
    double latency;
} record_t;

typedef struct {
    const uint8_t *octets;
    const segment_t *segments;
    script_t prologue;
    const script_t *scripts; /* two for each template: first in its session, and later */
    uint32_t templates, sessions, per_session, sample_every;
    char path[108];
    uint64_t max_messages;
    double max_seconds, per_second; /* per_second 0: as fast as the answers come */
    uint8_t *kept;
    uint64_t kept_size, kept_used;
    record_t *records;
    uint64_t max_records, started, done, errors;
    int32_t last_error;
    double elapsed;
} run_t;

typedef struct {
    int fd, template, left, wants_write, in_prologue, waiting, keeping, parked;
    uint32_t at, end; /* the segment being written or answered, and the script's end */
    uint64_t written, serial;
    double begun;
    uint8_t *buffer;
    size_t filled, size;
} session_t;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void play(session_t *s, script_t script)
{
    s->at = script.first;
    s->end = script.first + script.count;
    s->written = 0;
}

static int may_start(const run_t *run, double start)
{
    return run->started < run->max_messages && (run->max_seconds <= 0 || now() - start < run->max_seconds);
}

/* Take the next message; with a pace its time may lie ahead, and the session is parked until then. */
static void begin_message(run_t *run, session_t *s, double start)
{
    double due = run->per_second > 0 ? start + run->started / run->per_second : 0;
    s->begun = now();
    s->parked = due > s->begun;
    if (due > 0)
        s->begun = due; /* what waits because all sessions are busy has begun to wait */
    s->template = (int)(run->started % run->templates);
    s->serial = run->started;
    s->keeping = run->sample_every && run->started % run->sample_every == 0;
    run->started++;
}

static int open_session(run_t *run, int poll, session_t *s, double start)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, run->path, sizeof address.sun_path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        run->last_error = errno;
        if (s->fd >= 0)
            close(s->fd);
        s->fd = -1;
        return -1;
    }
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event);
    s->in_prologue = 1;
    s->waiting = s->wants_write = 0;
    s->filled = 0;
    s->left = (int)run->per_session;
    play(s, run->prologue);
    begin_message(run, s, start);
    return 0;
}

/* Write the current segment: 1 = all of it, 0 = the socket is full, -1 = an error. */
static int write_segment(run_t *run, session_t *s)
{
    const segment_t *segment = &run->segments[s->at];
    const uint8_t *octets = run->octets + segment->offset;
    char digits[SERIAL_DIGITS];
    uint64_t serial = s->serial;
    for (int i = SERIAL_DIGITS - 1; i >= 0; i--, serial /= 10)
        digits[i] = '0' + serial % 10;
    uint64_t where = segment->serial < 0 ? segment->length : (uint64_t)segment->serial;
    uint64_t behind = segment->serial < 0 ? segment->length : where + SERIAL_DIGITS;
    uint64_t bounds[4] = {0, where, behind, segment->length};
    while (s->written < segment->length) {
        struct iovec parts[3];
        int count = 0;
        for (int i = 0; i < 3; i++) {
            uint64_t from = bounds[i] > s->written ? bounds[i] : s->written;
            if (from >= bounds[i + 1])
                continue;
            parts[count].iov_base = i == 1 ? (void *)(digits + (from - where)) : (void *)(octets + from);
            parts[count++].iov_len = bounds[i + 1] - from;
        }
        ssize_t written = writev(s->fd, parts, count);
        if (written >= 0) {
            s->written += written;
        } else if (errno == EAGAIN) {
            return 0;
        } else if (errno != EINTR) {
            run->last_error = errno;
            return -1;
        }
    }
    return 1;
}

/* Go on until an answer is due or the socket is full; -1 = an error. */
static int advance(run_t *run, int poll, session_t *s)
{
    for (;;) {
        int written = write_segment(run, s);
        if (written < 0)
            return -1;
        if ((written == 0) != s->wants_write) {
            s->wants_write = written == 0;
            struct epoll_event event = {.events = EPOLLIN | (s->wants_write ? EPOLLOUT : 0), .data.ptr = s};
            epoll_ctl(poll, EPOLL_CTL_MOD, s->fd, &event);
        }
        if (!written)
            return 0;
        if (run->segments[s->at].wait) {
            s->waiting = 1;
            return 0;
        }
        s->at++;
        s->written = 0;
        if (s->at == s->end && s->in_prologue) {
            s->in_prologue = 0;
            play(s, run->scripts[2 * s->template]);
        }
    }
}

static int advance_unless_parked(run_t *run, int poll, session_t *s)
{
    return s->parked ? 0 : advance(run, poll, s);
}

static void close_session(session_t *s)
{
    close(s->fd);
    s->fd = -1;
    s->parked = 0;
}

/* In place of a session that has ended or failed, open another one while there are messages left. */
static void replace(run_t *run, int poll, session_t *s, double start)
{
    while (s->fd < 0 && run->errors < MAX_ERRORS && may_start(run, start)) {
        if (open_session(run, poll, s, start) == 0) {
            if (advance_unless_parked(run, poll, s) == 0)
                return;
            close_session(s);
        }
        run->errors++;
    }
}

/* Go on with the script after a "continue" (or SMFIR_SKIP, which leaves out the rest of the body). */
static int go_on(run_t *run, int poll, session_t *s, int skip)
{
    int body = run->segments[s->at].body;
    s->at++;
    s->written = 0;
    while (skip && body && s->at + 1 < s->end && run->segments[s->at].body)
        s->at++;
    if (s->at == s->end) {
        s->in_prologue = 0;
        play(s, run->scripts[2 * s->template]);
    }
    return advance(run, poll, s);
}

static void record(run_t *run, const session_t *s, uint8_t verdict)
{
    if (run->done < run->max_records)
        run->records[run->done] = (record_t){s->template, verdict, s->serial, now() - s->begun};
    run->done++;
}

/* Take one packet from the milter; -1 = not the protocol, or the session is lost; 1 = the session has ended. */
static int take(run_t *run, int poll, session_t *s, double start, const uint8_t *packet, size_t length)
{
    uint8_t command = packet[4];
    if (command == 'p') /* still at work */
        return 0;
    if (strchr("him+2-ebq", command)) { /* a modification, before the verdict */
        if (s->keeping && strchr("him", command) && run->kept_used + 8 + length <= run->kept_size) {
            memcpy(run->kept + run->kept_used, &s->serial, 8); /* several sessions' packets mix */
            memcpy(run->kept + run->kept_used + 8, packet, length);
            run->kept_used += 8 + length;
        }
        return 0;
    }
    if (!s->waiting) {
        run->last_error = EPROTO;
        return -1;
    }
    s->waiting = 0;
    int last = !s->in_prologue && s->at + 1 == s->end;
    if (command == 'O' || ((command == 'c' || command == 's') && !last))
        return go_on(run, poll, s, command == 's');
    record(run, s, command);
    if (!s->in_prologue && --s->left > 0 && may_start(run, start)) {
        begin_message(run, s, start);
        play(s, run->scripts[2 * s->template + 1]);
        return advance_unless_parked(run, poll, s);
    }
    (void)!write(s->fd, "\0\0\0\1Q", 5);
    return 1;
}

/* Read what has come and take every whole packet of it; as take(). */
static int receive(run_t *run, int poll, session_t *s, double start)
{
    ssize_t got = read(s->fd, s->buffer + s->filled, s->size - s->filled);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        run->last_error = got ? errno : EPIPE;
        return -1;
    }
    s->filled += got > 0 ? got : 0;
    size_t at = 0;
    int outcome = 0;
    while (!outcome && s->filled - at >= 5) {
        const uint8_t *p = s->buffer + at;
        size_t length = 4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
        if (length > s->filled - at) {
            if (length > s->size)
                s->buffer = realloc(s->buffer, s->size = length);
            break;
        }
        outcome = take(run, poll, s, start, p, length);
        at += length;
    }
    memmove(s->buffer, s->buffer + at, s->filled - at);
    s->filled -= at;
    return outcome;
}

/* Let parked sessions go whose time has come; return the seconds until the next one's. */
static double release(run_t *run, int poll, session_t *sessions, double start)
{
    double next = 1.0;
    for (uint32_t i = 0; i < run->sessions; i++) {
        session_t *s = &sessions[i];
        if (!s->parked)
            continue;
        double wait = s->begun - now();
        if (wait > 0) {
            next = wait < next ? wait : next;
            continue;
        }
        s->parked = 0;
        if (advance(run, poll, s) < 0) {
            run->errors++;
            close_session(s);
            replace(run, poll, s, start);
        }
    }
    return next;
}

static int alive(const run_t *run, const session_t *sessions)
{
    for (uint32_t i = 0; i < run->sessions; i++)
        if (sessions[i].fd >= 0)
            return 1;
    return 0;
}

void load(run_t *run)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);
    session_t *sessions = calloc(run->sessions, sizeof *sessions);
    double start = now(), heard = start;
    for (uint32_t i = 0; i < run->sessions; i++) {
        sessions[i].fd = -1;
        sessions[i].buffer = malloc(sessions[i].size = 65536);
        replace(run, poll, &sessions[i], start);
    }
    struct epoll_event events[64];
    while (alive(run, sessions)) {
        double wait = release(run, poll, sessions, start);
        struct timespec timeout = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (time_t)wait) * 1e9)};
        int count = epoll_pwait2(poll, events, 64, &timeout, NULL);
        if (count > 0)
            heard = now();
        if (now() - heard > SILENCE_SECONDS) {
            run->errors++;
            run->last_error = ETIMEDOUT;
            break;
        }
        for (int k = 0; k < count; k++) {
            session_t *s = events[k].data.ptr;
            int outcome = 0;
            if (s->fd < 0)
                continue;
            if (events[k].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                outcome = receive(run, poll, s, start);
            if (!outcome && s->wants_write && (events[k].events & EPOLLOUT))
                outcome = advance(run, poll, s);
            if (outcome) {
                run->errors += outcome < 0;
                close_session(s);
                replace(run, poll, s, start);
            }
        }
    }
    run->elapsed = now() - start;
    for (uint32_t i = 0; i < run->sessions; i++) {
        if (sessions[i].fd >= 0)
            close(sessions[i].fd);
        free(sessions[i].buffer);
    }
    free(sessions);
    close(poll);
}
