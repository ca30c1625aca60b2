/* Trouble while reading: see trouble.h. A damaged archive could give thousands of messages; the
 * first few tell the story and the rest is a number. */
#include "collector/query/trouble.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_MAX = 5000 };

void trouble_tell(struct trouble *t, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pthread_mutex_lock(&t->lock);
	if (t->count++ < TROUBLE_SHOWN) {
		if (t->before_message)
			t->before_message(t->user);
		log_error("%s", text);
	}
	pthread_mutex_unlock(&t->lock);
}

bool trouble_sum(struct trouble *t)
{
	pthread_mutex_lock(&t->lock);
	uint64_t count = t->count;
	pthread_mutex_unlock(&t->lock);
	if (count > TROUBLE_SHOWN)
		log_error("%" PRIu64 " more messages like these are not shown",
			  count - TROUBLE_SHOWN);
	return count > 0;
}
