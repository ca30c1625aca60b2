/* Memory in flight: who is let in, who waits, and that the queue always moves. */
#include "collector/ingest/budget.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct taker {
	struct budget_waiter w;
	int granted, refused;
};

static void decided(void *user, bool granted)
{
	struct taker *t = user;
	*(granted ? &t->granted : &t->refused) += 1;
}

static int take(struct budget *b, struct taker *t, uint64_t bytes, int64_t deadline_ns)
{
	t->w = (struct budget_waiter){
		.bytes = bytes, .deadline_ns = deadline_ns, .decided = decided, .user = t};
	return budget_take(b, &t->w);
}

START_TEST(within)
{
	struct budget *b = budget_new(100);
	struct taker one = {0};
	ck_assert_int_eq(take(b, &one, 60, 0), 0);
	ck_assert_int_eq(budget_try(b, 40), 0);
	ck_assert_int_eq(budget_try(b, 1), -EAGAIN);
	ck_assert_uint_eq(budget_state(b).taken, 100);
	budget_give(b, 100);
	ck_assert_int_eq(one.granted, 0); /* taken at once: not told */
	budget_free(b);
}
END_TEST

START_TEST(one_too_large_passes_alone)
{
	struct budget *b = budget_new(100);
	struct taker large = {0};
	ck_assert_int_eq(budget_try(b, 10), 0);
	ck_assert_int_eq(take(b, &large, 1000, 5), -EAGAIN);
	ck_assert_int_eq(large.granted, 0);
	budget_give(b, 10);
	ck_assert_int_eq(large.granted, 1);
	ck_assert_int_eq(budget_try(b, 1), -EAGAIN);
	budget_give(b, 1000);
	budget_free(b);
}
END_TEST

START_TEST(in_order)
{
	struct budget *b = budget_new(100);
	struct taker first = {0}, second = {0};
	ck_assert_int_eq(budget_try(b, 80), 0);
	ck_assert_int_eq(take(b, &first, 50, 5), -EAGAIN);
	ck_assert_int_eq(take(b, &second, 10, 5), -EAGAIN); /* would fit, but others wait */
	ck_assert_int_eq(budget_try(b, 1), -EAGAIN);
	ck_assert_uint_eq(budget_state(b).waiting, 2);
	budget_give(b, 10);
	ck_assert_int_eq(first.granted + second.granted, 0);
	budget_give(b, 30);
	ck_assert_int_eq(first.granted, 1);
	ck_assert_int_eq(second.granted, 1);
	ck_assert_uint_eq(budget_state(b).taken, 100);
	budget_give(b, 100);
	budget_free(b);
}
END_TEST

START_TEST(deadline)
{
	struct budget *b = budget_new(100);
	struct taker large = {0}, small = {0};
	ck_assert_int_eq(budget_try(b, 80), 0);
	ck_assert_int_eq(take(b, &large, 50, 5), -EAGAIN);
	ck_assert_int_eq(take(b, &small, 20, 9), -EAGAIN);
	budget_expire(b, 4);
	ck_assert_int_eq(large.refused, 0);
	budget_expire(b, 5);
	ck_assert_int_eq(large.refused, 1);
	ck_assert_int_eq(small.granted, 1); /* nobody stands in its way any more */
	budget_give(b, 100);
	ck_assert_int_eq(take(b, &large, 100, 5), 0);
	budget_give(b, 100);
	budget_free(b);
}
END_TEST

START_TEST(the_last_of_the_queue_expires)
{
	struct budget *b = budget_new(10);
	struct taker t[3] = {0};
	ck_assert_int_eq(budget_try(b, 10), 0);
	ck_assert_int_eq(take(b, &t[0], 1, 9), -EAGAIN);
	ck_assert_int_eq(take(b, &t[1], 1, 5), -EAGAIN);
	budget_expire(b, 5);
	ck_assert_int_eq(t[1].refused, 1);
	ck_assert_int_eq(take(b, &t[2], 1, 9), -EAGAIN); /* behind t[0], not behind what is gone */
	budget_give(b, 10);
	ck_assert_int_eq(t[0].granted + t[2].granted, 2);
	budget_give(b, 2);
	budget_free(b);
}
END_TEST

START_TEST(more_and_by_force)
{
	struct budget *b = budget_new(100);
	ck_assert_int_eq(budget_try(b, 100), 0);
	ck_assert_int_eq(budget_take_more(b, 25), 0);
	ck_assert_int_eq(budget_take_more(b, 1), -EAGAIN);
	budget_force(b, 50);
	ck_assert_uint_eq(budget_state(b).taken, 175);
	budget_give(b, 175);
	budget_free(b);
}
END_TEST

START_TEST(grows)
{
	struct budget *b = budget_new(10);
	struct taker t = {0};
	ck_assert_int_eq(budget_try(b, 10), 0);
	ck_assert_int_eq(take(b, &t, 5, 9), -EAGAIN);
	budget_resize(b, 20);
	ck_assert_int_eq(t.granted, 1);
	budget_give(b, 15);
	budget_free(b);
}
END_TEST

/* Threads take, wait and give: whatever the order, everyone is decided on once and all comes
 * back. */
enum { THREADS = 4, ROUNDS = 3000 };

struct worker {
	struct budget *b;
	pthread_mutex_t lock;
	pthread_cond_t told;
	int decision; /* 0: none yet */
	unsigned seed;
};

static void tell(void *user, bool granted)
{
	struct worker *w = user;
	pthread_mutex_lock(&w->lock);
	w->decision = granted ? 1 : 2;
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
}

static void *work(void *user)
{
	struct worker *w = user;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t bytes = 1 + (uint64_t)rand_r(&w->seed) % 150;
		struct budget_waiter waiter = {
			.bytes = bytes, .deadline_ns = 1, .decided = tell, .user = w};
		w->decision = 0;
		int decision = budget_take(w->b, &waiter) == 0 ? 1 : 0;
		if (i % 7 == 0)
			budget_expire(w->b, 2);
		pthread_mutex_lock(&w->lock);
		while (decision == 0 && w->decision == 0)
			pthread_cond_wait(&w->told, &w->lock);
		decision = decision ? decision : w->decision;
		pthread_mutex_unlock(&w->lock);
		if (decision == 1)
			budget_give(w->b, bytes);
	}
	return NULL;
}

START_TEST(threads)
{
	struct budget *b = budget_new(200);
	struct worker workers[THREADS];
	pthread_t ids[THREADS];
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.b = b, .seed = (unsigned)i + 1};
		pthread_mutex_init(&workers[i].lock, NULL);
		pthread_cond_init(&workers[i].told, NULL);
		ck_assert_int_eq(pthread_create(&ids[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	ck_assert_uint_eq(budget_state(b).taken, 0);
	ck_assert_uint_eq(budget_state(b).waiting, 0);
	budget_free(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest_budget");
	TCase *tcase = tcase_create("ingest_budget");
	tcase_add_test(tcase, within);
	tcase_add_test(tcase, one_too_large_passes_alone);
	tcase_add_test(tcase, in_order);
	tcase_add_test(tcase, deadline);
	tcase_add_test(tcase, the_last_of_the_queue_expires);
	tcase_add_test(tcase, more_and_by_force);
	tcase_add_test(tcase, grows);
	tcase_add_test(tcase, threads);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
