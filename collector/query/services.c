/* Listing a day's services: see services.h. Called by segments.c.
 *
 * The services are put in order, then each thread takes the next one that nobody has; the caller is
 * one of them. What they found is put together in that order, and each part is in order of names
 * already: so the whole is in the order of `LC_ALL=C sort` over SERVICE/NAME. When a thread cannot
 * be started the others do its work. */
#include "collector/query/services.h"

#include "common/array.h"
#include "common/name.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS_MAX = 16 };

struct work {
	const struct services *services;
	const struct listing_request *request;
	int day_fd;
	struct listing *lists; /* one a service */
	atomic_size_t next;
	atomic_int error;
};

void services_free(struct services *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->names[i]);
	free(s->names);
	*s = (struct services){.n = 0};
}

/* As bytes of paths, where a slash follows. */
static int compare_services(const void *pa, const void *pb)
{
	const unsigned char *x = *(unsigned char *const *)pa, *y = *(unsigned char *const *)pb;
	while (*x && *x == *y)
		x++, y++;
	int cx = *x ? *x : '/', cy = *y ? *y : '/';
	return cx - cy;
}

static int add_service(struct services *s, const char *name)
{
	int r = array_room(&s->names, s->n, &s->capacity, sizeof(*s->names));
	if (r < 0)
		return r;
	char *copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	s->names[s->n++] = copy;
	return 0;
}

static int find_services(struct services *s, DIR *day_dir, const struct segment_choice *choice)
{
	int r = 0;
	for (const struct dirent *e; r == 0 && (e = readdir(day_dir));)
		if (name_valid(span_of(e->d_name)) &&
		    listing_chosen(e->d_name, choice->services, choice->n_services))
			r = add_service(s, e->d_name);
	if (s->n)
		qsort(s->names, s->n, sizeof(*s->names), compare_services);
	return r;
}

static int list_service(const struct work *w, size_t i)
{
	struct listing_request request = *w->request;
	request.service = w->services->names[i];
	int r = 0;
	DIR *dir = listing_open_directory(w->day_fd, request.service);
	if (dir) {
		r = listing_add_directory(&w->lists[i], dir, &request);
		closedir(dir);
	} else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
		r = -errno;
	}
	if (r == 0 || r == -ENOMEM)
		return r;
	trouble_tell(request.trouble, "%s/%s: %s; it is left out", request.day, request.service,
		     strerror(-r));
	return 0;
}

static void *run(void *user)
{
	struct work *w = user;
	size_t i;
	while ((i = atomic_fetch_add(&w->next, 1)) < w->services->n) {
		int r = list_service(w, i);
		if (r < 0)
			atomic_store(&w->error, r);
	}
	return NULL;
}

static void run_all(struct work *w, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	unsigned n = 0;
	threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	while (n + 1 < threads && n + 1 < w->services->n &&
	       pthread_create(&ids[n], NULL, run, w) == 0)
		n++;
	(void)run(w);
	while (n)
		(void)pthread_join(ids[--n], NULL);
}

int services_list(struct services *s, DIR *day_dir, const struct listing_request *request,
		  unsigned threads, struct listing *list)
{
	struct work w = {.services = s, .request = request, .day_fd = dirfd(day_dir)};
	int r = find_services(s, day_dir, request->choice);
	if (r < 0 || s->n == 0)
		return r;
	w.lists = calloc(s->n, sizeof(*w.lists));
	if (!w.lists)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		w.lists[i].held_left = list->held_left;
	run_all(&w, threads);
	r = atomic_load(&w.error);
	if (r == 0)
		r = listing_take(list, w.lists, s->n);
	for (size_t i = 0; i < s->n; i++)
		listing_free(&w.lists[i]);
	free(w.lists);
	return r;
}
