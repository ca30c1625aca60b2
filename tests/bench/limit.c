/* The bare limit: what the work costs at the least, to hold the agent and the collector against.
 *
 *     limit send FILE ADDRESS:PORT
 *     limit receive WAL
 *     limit drain
 *
 * send: reads the file, puts the 29 bytes of time and flags before each line, compresses a MiB with
 * one call of ISA-L at the agent's level, posts it and waits for the answer; nothing else: no
 * rotation, no names, no checksum, no memory of what was sent, and no search for a time (it is
 * copied from where the generator's lines have it, so that the same bytes are compressed). receive:
 * takes batches from any number of connections, inflates them, puts host and service into each
 * line, appends the lines to one file, syncs it once for all batches of a round, and answers; no
 * checks, no shards, no ledger. drain: takes whatever comes over TCP and forgets it: where other
 * programs ship to.
 *
 * receive and drain print their port, and end with SIGTERM. Each talks the protocol as far as its
 * partner here, `load` and haul's own programs do, no further. */
#include "common/isal.h"
#include "common/line.h"
#include "common/num.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BATCH = 1 << 20, /* bytes of source a batch */
	PREFIX = 29,     /* time, flags, blank */
	PEERS_MAX = 2048,
	BODY_MAX = 4 << 20,
	INFLATED_MAX = 32 << 20,
	HEAD_MAX = 8192,
};

_Noreturn static void die(const char *what)
{
	(void)fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *room(size_t bytes)
{
	void *p = malloc(bytes);
	if (!p)
		die("memory");
	return p;
}

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			die("send");
		bytes += n;
		len -= (size_t)n;
	}
}

/* --- send --- */

/* Puts the prefix before each whole line. Returns the bytes made; *ret_taken of the source were
 * used. */
static size_t put_prefixes(const char *source, size_t len, char *out, size_t *ret_taken,
			   size_t *ret_lines)
{
	static const char fixed[PREFIX + 1] = "2026-11-22T05:40:00.000000ZF ";
	static const char before_time[] = "{\"ts\":\"";
	enum { BEFORE = sizeof(before_time) - 1, TIME = PREFIX - 2 };
	const char *at = source, *end = source + len, *lf;
	char *to = out;
	size_t lines = 0;
	while (at < end && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		size_t n = (size_t)(lf + 1 - at);
		memcpy(to, fixed, PREFIX);
		if (n > BEFORE + TIME && memcmp(at, before_time, BEFORE) == 0)
			memcpy(to, at + BEFORE, TIME);
		memcpy(to + PREFIX, at, n);
		to += PREFIX + n;
		at = lf + 1;
		lines++;
	}
	*ret_taken = (size_t)(at - source);
	*ret_lines = lines;
	return (size_t)(to - out);
}

static size_t compress_member(char *plain, size_t len, uint8_t *out, size_t max)
{
	static uint8_t level_buf[ISAL_DEF_LVL1_SMALL];
	struct isal_zstream z;
	isal_deflate_init(&z);
	z.level = 1;
	z.level_buf = level_buf;
	z.level_buf_size = sizeof(level_buf);
	z.gzip_flag = IGZIP_GZIP;
	z.end_of_stream = 1;
	z.next_in = (uint8_t *)plain;
	z.avail_in = (uint32_t)len;
	z.next_out = out;
	z.avail_out = (uint32_t)max;
	if (isal_deflate_some(&z) != COMP_OK || z.internal_state.state != ZSTATE_END)
		die("deflate");
	return max - z.avail_out;
}

static void hear_answer(int fd)
{
	char text[HEAD_MAX];
	size_t len = 0;
	while (len < sizeof(text) - 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			die("answer");
		len += (size_t)n;
		text[len] = '\0';
		const char *end = strstr(text, "\r\n\r\n"),
			   *length = strstr(text, "Content-Length: ");
		if (end && length &&
		    len >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10))
			return;
	}
	errno = EMSGSIZE;
	die("answer");
}

static int connect_to(const char *where)
{
	char address[64];
	struct sockaddr_in to = {.sin_family = AF_INET};
	const char *colon = strrchr(where, ':');
	uint64_t port;
	if (!colon || (size_t)(colon - where) >= sizeof(address) ||
	    num_parse_u64(span_of(colon + 1), &port) < 0 || port > UINT16_MAX) {
		errno = EINVAL;
		die(where);
	}
	memcpy(address, where, (size_t)(colon - where));
	address[colon - where] = '\0';
	to.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(where);
	return fd;
}

static int send_file(const char *path, const char *where)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), fd = connect_to(where);
	if (file < 0)
		die(path);
	/* The shortest line is its LF. */
	char *source = room(BATCH), *payload = room(HEAD_MAX + (size_t)BATCH * (PREFIX + 1));
	uint8_t *body = room(BODY_MAX);
	size_t held = 0;
	uint64_t offset = 0;
	ssize_t n;
	while ((n = read(file, source + held, BATCH - held)) > 0) {
		char *lines_at = payload + HEAD_MAX, head[512];
		size_t taken, lines;
		held += (size_t)n;
		size_t bytes = put_prefixes(source, held, lines_at, &taken, &lines);
		if (!lines && held == BATCH) {
			errno = EMSGSIZE;
			die(path);
		}
		int chunk = snprintf(head, sizeof(head),
				     "{\"stream\":\"%032d\",\"host\":\"limit\",\"service\":"
				     "\"limit\",\"from\":%" PRIu64 ",\"to\":%" PRIu64 ","
				     "\"lines\":%zu,\"bytes\":%zu}\n",
				     1, offset, offset + taken, lines, bytes);
		memcpy(lines_at - chunk, head, (size_t)chunk);
		size_t packed =
			compress_member(lines_at - chunk, bytes + (size_t)chunk, body, BODY_MAX);
		int len = snprintf(
			head, sizeof(head),
			"POST /v1/batches HTTP/1.1\r\nHost: limit\r\nContent-Length: %zu\r\n\r\n",
			packed);
		send_all(fd, head, (size_t)len);
		send_all(fd, (const char *)body, packed);
		hear_answer(fd);
		offset += taken;
		held -= taken;
		memmove(source, source + taken, held);
	}
	if (n < 0)
		die(path);
	free(source);
	free(payload);
	free(body);
	return 0;
}

/* --- receive, drain --- */

struct peer {
	int fd;
	char *in; /* the request: head and body */
	size_t len;
	size_t chunks; /* of a batch that waits for the sync; 0: none waits */
	bool waits;
};

struct receiver {
	int epoll, listener, wal;
	struct peer peers[PEERS_MAX];
	char *inflated, *lines;
};

static int listen_free(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, PEERS_MAX) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		die("listen");
	printf("%u\n", ntohs(at.sin_port));
	(void)fflush(stdout);
	return fd;
}

static void watch(int epoll, int fd, void *who)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = who};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll");
}

/* The text of "key":"..." in a chunk's header. */
static struct span text_of(struct span header, const char *key)
{
	const char *at = memmem(header.ptr, header.len, key, strlen(key));
	if (!at) {
		errno = EBADMSG;
		die(key);
	}
	at += strlen(key);
	const char *end = memchr(at, '"', (size_t)(header.ptr + header.len - at));
	return span_make(at, end ? (size_t)(end - at) : 0);
}

static char *put(char *to, struct span text)
{
	memcpy(to, text.ptr, text.len);
	return to + text.len;
}

/* Lines as they stand in a file: host and service between time and flags. */
static char *put_lines(char *to, struct span payload, struct span host, struct span service)
{
	const char *at = payload.ptr, *end = at + payload.len, *lf;
	while (at < end &&
	       (lf = memchr(at + PREFIX - 1, '\n', (size_t)(end - at) - PREFIX + 1)) != NULL) {
		to = put(to, span_make(at, PREFIX - 2));
		*to++ = ' ';
		to = put(to, host);
		*to++ = ' ';
		to = put(to, service);
		*to++ = ' ';
		to = put(to, span_make(at + PREFIX - 2, (size_t)(lf + 1 - at) - (PREFIX - 2)));
		at = lf + 1;
	}
	return to;
}

static void take_batch(struct receiver *r, struct peer *p, struct span body)
{
	struct inflate_state z;
	isal_inflate_init(&z);
	z.crc_flag = ISAL_GZIP;
	z.next_in = (uint8_t *)(uintptr_t)body.ptr;
	z.avail_in = (uint32_t)body.len;
	z.next_out = (uint8_t *)r->inflated;
	z.avail_out = INFLATED_MAX;
	if (isal_inflate_some(&z) != ISAL_DECOMP_OK) {
		errno = EBADMSG;
		die("inflate");
	}
	const char *at = r->inflated, *end = at + (INFLATED_MAX - z.avail_out);
	char *to = r->lines;
	p->chunks = 0;
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		struct span header = span_make(at, lf ? (size_t)(lf - at) : 0);
		const char *bytes = memmem(header.ptr, header.len, "\"bytes\":", 8);
		size_t len = bytes ? strtoul(bytes + 8, NULL, 10) : 0;
		if (!lf || !bytes || len > (size_t)(end - lf - 1)) {
			errno = EBADMSG;
			die("chunk");
		}
		to = put_lines(to, span_make(lf + 1, len), text_of(header, "\"host\":\""),
			       text_of(header, "\"service\":\""));
		at = lf + 1 + len;
		p->chunks++;
	}
	for (char *from = r->lines; from < to;) {
		ssize_t n = write(r->wal, from, (size_t)(to - from));
		if (n < 0)
			die("wal");
		from += n;
	}
	p->waits = true;
}

static void answer_batch(struct peer *p)
{
	static const char verdict[] = "{\"status\":\"committed\"}";
	char text[HEAD_MAX];
	size_t len = p->chunks * sizeof(verdict);
	assert(len + 256 < sizeof(text));
	int head =
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
	for (size_t i = 0; i < p->chunks; i++) {
		memcpy(text + (size_t)head + i * sizeof(verdict), verdict, sizeof(verdict) - 1);
		text[(size_t)head + (i + 1) * sizeof(verdict) - 1] = '\n';
	}
	send_all(p->fd, text, (size_t)head + len);
	p->waits = false;
}

static void take_request(struct receiver *r, struct peer *p, struct span head, struct span body)
{
	static const char session[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"session\":1}";
	if (memmem(head.ptr, head.len, "/v1/batches", 11))
		take_batch(r, p, body);
	else
		send_all(p->fd, session, sizeof(session) - 1);
}

static void hear(struct receiver *r, struct peer *p)
{
	ssize_t n = recv(p->fd, p->in + p->len, BODY_MAX - p->len, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		(void)close(p->fd);
		free(p->in);
		p->fd = -1;
		return;
	}
	p->len += (size_t)n;
	const char *end = memmem(p->in, p->len < HEAD_MAX ? p->len : HEAD_MAX, "\r\n\r\n", 4);
	if (!end)
		return;
	struct span head = span_make(p->in, (size_t)(end + 4 - p->in));
	const char *length = memmem(head.ptr, head.len, "Content-Length: ", 16);
	size_t len = length ? strtoul(length + 16, NULL, 10) : 0;
	if (head.len + len > BODY_MAX) {
		errno = EMSGSIZE;
		die("request");
	}
	if (p->len < head.len + len)
		return;
	take_request(r, p, head, span_make(end + 4, len));
	p->len = 0;
}

static void accept_peer(struct receiver *r)
{
	size_t i = 0;
	while (i < PEERS_MAX && r->peers[i].fd >= 0)
		i++;
	int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || i == PEERS_MAX)
		die("accept");
	r->peers[i] = (struct peer){.fd = fd, .in = room(BODY_MAX)};
	watch(r->epoll, fd, &r->peers[i]);
}

_Noreturn static void receive(const char *path)
{
	static struct receiver r;
	r.wal = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r.wal < 0 || r.epoll < 0)
		die(path);
	/* Names longer than a line has bytes would not fit; the players' are short. */
	r.inflated = room(INFLATED_MAX);
	r.lines = room((size_t)2 * INFLATED_MAX);
	for (size_t i = 0; i < PEERS_MAX; i++)
		r.peers[i].fd = -1;
	r.listener = listen_free();
	watch(r.epoll, r.listener, NULL);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(r.epoll, events, 64, -1);
		bool any = false;
		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;
			if (!p) {
				accept_peer(&r);
				continue;
			}
			hear(&r, p);
			any = any || p->waits;
		}
		if (any && fdatasync(r.wal) < 0)
			die(path);
		for (int i = 0; any && i < n; i++) {
			struct peer *p = events[i].data.ptr;
			if (p && p->waits)
				answer_batch(p);
		}
	}
}

_Noreturn static void drain(void)
{
	static char waste[1 << 16];
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listen_free();
	if (epoll < 0)
		die("epoll");
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0)
		die("epoll");
	while (epoll_wait(epoll, &e, 1, -1) == 1) {
		if (e.data.fd != listener) {
			if (recv(e.data.fd, waste, sizeof(waste), MSG_DONTWAIT) == 0)
				(void)close(e.data.fd);
			continue;
		}
		struct epoll_event more = {.events = EPOLLIN,
					   .data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
		if (more.data.fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, more.data.fd, &more) < 0)
			die("accept");
	}
	die("epoll");
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		return send_file(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		receive(argv[2]);
	if (argc == 2 && strcmp(argv[1], "drain") == 0)
		drain();
	(void)fputs("usage: limit send FILE ADDRESS:PORT | receive WAL | drain\n", stderr);
	return 2;
}
