/* Names of time keys: see stamp_key.h. Called by stamp_json.c for the keys of an object, and by
 * stamp_forms.c for key=value lines.
 *
 * The order is the preference where a line has several: first the short names that loggers give to
 * the time at which a line was written, then those that also shippers and databases use, last those
 * that now and then mean something else. (A value that is no time never counts: "time":0.35 is a
 * duration.) Case matters: keys are compared by their bytes. */
#include "agent/stamp/stamp_key.h"

#include "agent/stamp/stamp_forms.h"

#include <stdint.h>

#define KEY(name)                                                                                  \
	{                                                                                          \
		name, sizeof(name) - 1                                                             \
	}

static const struct span keys[] = {
	KEY("ts"),
	KEY("time"),
	KEY("timestamp"),
	KEY("@timestamp"),
	KEY("@t"),         /* Serilog's compact form */
	KEY("t"),          /* MongoDB, log15 */
	KEY("instant"),    /* Log4j's JsonLayout */
	KEY("timeMillis"), /* the same, older */
	KEY("asctime"),    /* python-json-logger */
	KEY("datetime"),
	KEY("dateTime"),
	KEY("Timestamp"), /* Serilog, NLog */
	KEY("Time"),
	KEY("T"),            /* zap's development form */
	KEY("time_iso8601"), /* nginx */
	KEY("time_local"),
	KEY("eventTime"), /* AWS CloudTrail */
	KEY("eventtime"), /* Fortinet */
	KEY("event_time"),
	KEY("log_time"),
	KEY("written_at"), /* SAP's loggers */
	KEY("_timestamp"),
	KEY("requestReceivedTimestamp"), /* Kubernetes' audit log */
	KEY("__REALTIME_TIMESTAMP"),     /* journalctl -o json */
	KEY("date"),
};

_Static_assert(sizeof(keys) / sizeof(*keys) == STAMP_KEYS, "stamp_key.h counts them");

/* The lengths of all of them, a bit each: most keys of a line have another. */
#define BIT(n) (UINT32_C(1) << (n))
#define LENGTHS                                                                                    \
	(BIT(1) | BIT(2) | BIT(4) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) |       \
	 BIT(20) | BIT(24))
#define LENGTH_MAX 24

int stamp_key_find(struct span key)
{
	if (key.len > LENGTH_MAX || !(LENGTHS >> key.len & 1))
		return -1;
	for (int i = 0; i < STAMP_KEYS; i++) {
		if (keys[i].len == key.len && keys[i].ptr[0] == key.ptr[0] &&
		    memcmp(keys[i].ptr, key.ptr, key.len) == 0)
			return i;
	}
	return -1;
}

struct span stamp_key_name(int index)
{
	return keys[index];
}

/* --- key=value --- */

static struct span take_key(struct text *t)
{
	const char *first = t->at;
	while (text_left(t) > 0 && t->at - first < LENGTH_MAX &&
	       (!text_at_boundary(t) || *t->at == '@'))
		t->at++;
	return span_make(first, (size_t)(t->at - first));
}

/* ts=2026-11-22T05:40:00Z, time="2026-11-22 05:40:00", t=1795327200 */
const char *stamp_read_key_value(const char *at, const char *line_end, struct moment *m)
{
	struct text t = {at, line_end};
	struct span key = take_key(&t);
	if (!text_take(&t, '=') || stamp_key_find(key) < 0)
		return NULL;
	char end = text_take(&t, '"') ? '"' : ' ';
	struct span rest = span_make(t.at, text_left(&t));
	struct span value = span_first(rest, span_find(rest, end));
	return stamp_forms_read_value(value, m) ? value.ptr + value.len : NULL;
}
