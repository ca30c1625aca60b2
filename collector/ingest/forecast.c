/* The disk's forecast: see forecast.h. The program's tick notes, status asks. */
#include "collector/ingest/forecast.h"

#include "common/num.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SAMPLES = 24 * 60, LEAST = 10, LONGEST_S = 10 * 366 * 86400 };

struct forecast {
	pthread_mutex_t lock; /* guards what follows */
	struct {
		int64_t mono_ns;
		uint64_t free_bytes;
	} samples[SAMPLES]; /* a ring; the newest is before `next` */
	size_t n, next;
};

int forecast_new(struct forecast **ret)
{
	struct forecast *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	(void)pthread_mutex_init(&f->lock, NULL);
	*ret = f;
	return 0;
}

void forecast_free(struct forecast *f)
{
	if (!f)
		return;
	(void)pthread_mutex_destroy(&f->lock);
	free(f);
}

/* With the lock held. */
static bool is_due(const struct forecast *f, int64_t mono_ns)
{
	int64_t newest_ns = f->samples[(f->next + SAMPLES - 1) % SAMPLES].mono_ns;
	return f->n == 0 || mono_ns - newest_ns >= 60 * NUM_SEC_NS;
}

bool forecast_due(struct forecast *f, int64_t mono_ns)
{
	(void)pthread_mutex_lock(&f->lock);
	bool due = is_due(f, mono_ns);
	(void)pthread_mutex_unlock(&f->lock);
	return due;
}

void forecast_note(struct forecast *f, int64_t mono_ns, uint64_t free_bytes)
{
	(void)pthread_mutex_lock(&f->lock);
	if (is_due(f, mono_ns)) {
		f->samples[f->next].mono_ns = mono_ns;
		f->samples[f->next].free_bytes = free_bytes;
		f->next = (f->next + 1) % SAMPLES;
		if (f->n < SAMPLES)
			f->n++;
	}
	(void)pthread_mutex_unlock(&f->lock);
}

/* Bytes a second by least squares; times and sizes are taken from the newest sample, so that
 * doubles are exact enough. With the lock held. */
static double slope(const struct forecast *f)
{
	size_t newest = (f->next + SAMPLES - 1) % SAMPLES;
	double n = (double)f->n, sum_t = 0, sum_y = 0, sum_tt = 0, sum_ty = 0;
	for (size_t i = 0; i < f->n; i++) {
		size_t at = (newest + SAMPLES - i) % SAMPLES;
		double t = (double)(f->samples[at].mono_ns - f->samples[newest].mono_ns) / 1e9;
		double y =
			(double)f->samples[at].free_bytes - (double)f->samples[newest].free_bytes;
		sum_t += t;
		sum_y += y;
		sum_tt += t * t;
		sum_ty += t * y;
	}
	double spread = n * sum_tt - sum_t * sum_t;
	return spread > 0 ? (n * sum_ty - sum_t * sum_y) / spread : 0;
}

int64_t forecast_full_s(struct forecast *f, uint64_t free_bytes, uint64_t reserve_bytes,
			double *ret_rate)
{
	(void)pthread_mutex_lock(&f->lock);
	double by = f->n >= LEAST ? -slope(f) : 0;
	(void)pthread_mutex_unlock(&f->lock);
	*ret_rate = by;
	if (free_bytes <= reserve_bytes)
		return 0;
	double left = (double)(free_bytes - reserve_bytes);
	return by > 0 && left / by < LONGEST_S ? (int64_t)(left / by) : FORECAST_NEVER;
}
