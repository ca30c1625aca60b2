/* A program's own messages: see log.h.
 *
 * Invariants: a message is one line and one write, so that threads and programs that share a stderr
 * do not mix; what a message quotes (paths, answers of a peer) cannot bring a line end or a
 * terminal escape along. Cannot fail as far as callers see: when stderr cannot be written there is
 * nobody to tell. errno stays as it was. */
#include "common/log.h"

#include "common/clock.h"
#include "common/flood.h"
#include "common/num.h"
#include "common/utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* a path of 4096 bytes and some words; what is longer ends in ... */
	MESSAGE_MAX = 6000,
	PROGRAM_MAX = 64,
	ESCAPE_LEN = 4,
	LINE_MAX_BYTES = PROGRAM_MAX + MESSAGE_MAX * ESCAPE_LEN + 1,
};

#define PAUSE_FIRST_NS (60 * NUM_SEC_NS)
#define PAUSE_LAST_NS  (3600 * NUM_SEC_NS)

static enum log_level most_verbose_level = LOG_LEVEL_INFO;
static char program_prefix[PROGRAM_MAX]; /* "haul-agent: " */
static bool to_journal;

static pthread_mutex_t flood_lock = PTHREAD_MUTEX_INITIALIZER; /* guards flood; a leaf */
static struct flood flood;
static atomic_bool limited;

/* The journal says in JOURNAL_STREAM which file it gave us as stderr; a shell in between may have
 * put another one there. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct span dev = span_of(text);
	size_t colon = span_find(dev, ':');
	struct stat st;
	uint64_t dev_no, ino_no;
	if (colon == dev.len || fstat(STDERR_FILENO, &st) < 0)
		return false;
	struct span ino = span_from(dev, colon + 1);
	return num_parse_u64(span_first(dev, colon), &dev_no) == 0 &&
	       num_parse_u64(ino, &ino_no) == 0 && dev_no == st.st_dev && ino_no == st.st_ino;
}

void log_start(const char *program, enum log_level most_verbose)
{
	most_verbose_level = most_verbose;
	to_journal = stderr_is_journal();
	(void)snprintf(program_prefix, sizeof(program_prefix), "%s: ", program);
}

void log_limit(void)
{
	limited = true;
}

/* Copies the message with everything that is not printable text as \xNN; returns the length. `dst`
 * has room for ESCAPE_LEN bytes a byte. */
static size_t put_printable(char *dst, struct span message)
{
	size_t n = 0;
	while (message.len) {
		uint32_t code;
		size_t len = utf8_take(message, &code);
		bool control = len == 0 || code < 0x20 || (code >= 0x7f && code <= 0x9f);
		len = len ? len : 1;
		for (size_t i = 0; i < len; i++) {
			uint8_t c = (uint8_t)message.ptr[i];
			if (!control) {
				dst[n++] = (char)c;
				continue;
			}
			dst[n++] = '\\';
			dst[n++] = 'x';
			dst[n++] = "0123456789abcdef"[c >> 4];
			dst[n++] = "0123456789abcdef"[c & 15];
		}
		message = span_from(message, len);
	}
	return n;
}

static void write_line(enum log_level level, struct span message)
{
	char line[LINE_MAX_BYTES];
	size_t n = to_journal ? (size_t)snprintf(line, PROGRAM_MAX, "<%d>", (int)level)
			      : strlen(strcpy(line, program_prefix));
	n += put_printable(line + n, message);
	line[n++] = '\n';
	ssize_t written;
	do
		written = write(STDERR_FILENO, line, n);
	while (written < 0 && errno == EINTR);
}

struct message {
	char text[MESSAGE_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 0))) static void message_add(struct message *m, const char *fmt,
							      va_list args)
{
	static const char cut[] = "...";
	size_t room = sizeof(m->text) - m->len;
	int len = vsnprintf(m->text + m->len, room, fmt, args);
	if (len < 0)
		return;
	if ((size_t)len < room) {
		m->len += (size_t)len;
		return;
	}
	m->len = sizeof(m->text) - 1;
	memcpy(m->text + m->len - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
}

__attribute__((format(printf, 2, 3))) static void message_addf(struct message *m, const char *fmt,
							       ...)
{
	va_list args;
	va_start(args, fmt);
	message_add(m, fmt, args);
	va_end(args);
}

/* May a message with that format be told now? */
static enum flood_verdict limit(const char *fmt, uint64_t *ret_left_out)
{
	*ret_left_out = 0;
	if (!limited)
		return FLOOD_TELL;
	pthread_mutex_lock(&flood_lock);
	enum flood_verdict v = flood_take(&flood, fmt, clock_mono_ns(), ret_left_out);
	pthread_mutex_unlock(&flood_lock);
	return v;
}

void log_deed(const char *fmt, ...)
{
	if (LOG_LEVEL_NOTICE > most_verbose_level)
		return;
	int saved = errno;
	struct message m = {.len = 0};
	va_list args;
	va_start(args, fmt);
	message_add(&m, fmt, args);
	va_end(args);
	write_line(LOG_LEVEL_NOTICE, span_make(m.text, m.len));
	errno = saved;
}

/* `times`: how often it happened since it was last told; 0: says nothing about that. */
__attribute__((format(printf, 3, 0))) static void tell(enum log_level level, uint64_t times,
						       const char *fmt, va_list args)
{
	if (level > most_verbose_level)
		return;
	int saved = errno;
	struct message m = {.len = 0};
	uint64_t left_out;
	enum flood_verdict verdict = limit(fmt, &left_out);
	if (verdict == FLOOD_SILENT)
		return;
	message_add(&m, fmt, args);
	if (times)
		message_addf(&m, " (%llu times since last told)", (unsigned long long)times);
	if (left_out)
		message_addf(&m, " (%llu more like this were left out)",
			     (unsigned long long)left_out);
	if (verdict == FLOOD_TELL_LAST)
		message_addf(&m, "; what more there is like this is left out for a minute");
	write_line(level, span_make(m.text, m.len));
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_ERROR, 0, fmt, args);
	va_end(args);
}

void log_warning(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_WARNING, 0, fmt, args);
	va_end(args);
}

void log_notice(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_NOTICE, 0, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_INFO, 0, fmt, args);
	va_end(args);
}

void log_debug(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_DEBUG, 0, fmt, args);
	va_end(args);
}

/* Is it time to tell? Moves the gate on. *ret_times: how often since last told, this one included;
 * 0 when this is the first. */
static bool gate_opens(struct log_gate *gate, uint64_t *ret_times)
{
	int64_t now = clock_mono_ns();
	if (!gate->open) {
		*gate = (struct log_gate){
			.open = true, .pause_ns = PAUSE_FIRST_NS, .next_ns = now + PAUSE_FIRST_NS};
		*ret_times = 0;
		return true;
	}
	if (now < gate->next_ns) {
		gate->suppressed += gate->suppressed < UINT32_MAX;
		return false;
	}
	*ret_times = (uint64_t)gate->suppressed + 1;
	gate->suppressed = 0;
	gate->pause_ns = gate->pause_ns < PAUSE_LAST_NS / 2 ? gate->pause_ns * 2 : PAUSE_LAST_NS;
	gate->next_ns = now + gate->pause_ns;
	return true;
}

void log_gated(struct log_gate *gate, enum log_level level, const char *fmt, ...)
{
	uint64_t times;
	if (!gate_opens(gate, &times))
		return;
	va_list args;
	va_start(args, fmt);
	tell(level, times, fmt, args);
	va_end(args);
}

void log_gate_clear(struct log_gate *gate, const char *fmt, ...)
{
	if (!gate->open)
		return;
	va_list args;
	va_start(args, fmt);
	tell(LOG_LEVEL_NOTICE, gate->suppressed, fmt, args);
	va_end(args);
	*gate = (struct log_gate){0};
}
