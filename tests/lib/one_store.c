/* See one_store.h. */
#include "tests/lib/one_store.h"

#include "tests/lib/temp_dir.h"

char dir[] = "/tmp/haul-test-store-XXXXXX";
struct store *store;
uint64_t session;

void one_store_set_up(void)
{
	temp_dir_make(dir);
	store = make_store(dir, NULL);
	session = make_session(store, "web-01", "m1", NULL);
}

void one_store_tear_down(void)
{
	store_close(store);
	temp_dir_remove(dir);
}

void one_store_reopen(void)
{
	store_close(store);
	store = make_store(dir, NULL);
}

void one_store_expect(const char *name, uint64_t lines)
{
	struct make_lines l;
	make_read_archive(dir, &l);
	make_check(&l, name, lines, lines);
	make_lines_free(&l);
}
