/* Lists: order, ends, removal while walking. */
#include "common/list.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct item {
	char name;
	struct list_node node, other;
};

static const char *names(const struct list *l)
{
	static char text[64];
	char *end = text;
	for (struct list_node *n = list_first(l); n; n = list_next(l, n))
		*end++ = LIST_ENTRY(n, struct item, node)->name;
	*end = '\0';
	/* Backwards it must be the same. */
	for (struct list_node *n = list_last(l); n; n = list_prev(l, n))
		ck_assert_int_eq(LIST_ENTRY(n, struct item, node)->name, *--end);
	ck_assert_ptr_eq(end, text);
	return text;
}

START_TEST(order)
{
	struct list l;
	struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};
	list_init(&l);
	ck_assert(list_empty(&l));
	ck_assert_ptr_null(list_first(&l));
	ck_assert_ptr_null(list_last(&l));
	ck_assert_ptr_null(list_take_first(&l));
	ck_assert_str_eq(names(&l), "");
	list_add_last(&l, &b.node);
	list_add_last(&l, &d.node);
	list_add_first(&l, &a.node);
	list_insert_after(&b.node, &c.node);
	ck_assert_str_eq(names(&l), "abcd");
	ck_assert(!list_empty(&l));
	ck_assert(list_linked(&a.node) && !list_linked(&a.other));

	list_remove(&c.node);
	list_remove(&c.node);
	ck_assert(!list_linked(&c.node));
	ck_assert_str_eq(names(&l), "abd");
	ck_assert_ptr_eq(list_take_first(&l), &a.node);
	list_add_last(&l, &a.node);
	ck_assert_str_eq(names(&l), "bda");
	list_remove(&a.node);
	list_remove(&b.node);
	list_remove(&d.node);
	ck_assert(list_empty(&l));
}
END_TEST

START_TEST(removal_while_walking)
{
	struct list l;
	struct item items[26];
	list_init(&l);
	memset(items, 0, sizeof(items));
	for (int i = 0; i < 26; i++) {
		items[i].name = (char)('a' + i);
		list_add_last(&l, &items[i].node);
	}
	for (struct list_node *n = list_first(&l), *next; n; n = next) {
		next = list_next(&l, n);
		if (LIST_ENTRY(n, struct item, node)->name % 2)
			list_remove(n);
	}
	ck_assert_str_eq(names(&l), "bdfhjlnprtvxz");
}
END_TEST

START_TEST(one_struct_on_two_lists)
{
	struct list by_age, ready;
	struct item a = {.name = 'a'}, b = {.name = 'b'};
	list_init(&by_age);
	list_init(&ready);
	list_add_last(&by_age, &a.node);
	list_add_last(&by_age, &b.node);
	list_add_last(&ready, &b.other);
	list_remove(&b.node);
	ck_assert_str_eq(names(&by_age), "a");
	ck_assert_ptr_eq(LIST_ENTRY(list_first(&ready), struct item, other), &b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("list");
	TCase *tcase = tcase_create("list");
	tcase_add_test(tcase, order);
	tcase_add_test(tcase, removal_while_walking);
	tcase_add_test(tcase, one_struct_on_two_lists);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
