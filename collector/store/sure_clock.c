/* The last time that is known to be right: see sure_clock.h. Called by the checkpointer. When the
 * file cannot be written the next checkpoint tries again. */
#include "collector/store/sure_clock.h"

#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PATH  TREE_HAUL "/clock"
#define APART (48 * INT64_C(3600000000))

int64_t sure_clock_read(const struct tree *t)
{
	struct stat st;
	if (tree_stat(t, PATH, &st) < 0)
		return 0;
	return st.st_mtim.tv_sec * INT64_C(1000000) + st.st_mtim.tv_nsec / 1000;
}

static void write_time(const struct tree *t, int64_t us)
{
	int fd = tree_open_file(t, PATH, O_WRONLY | O_CREAT);
	if (fd < 0)
		return;
	struct timespec at = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	(void)futimens(fd, (const struct timespec[]){at, at});
	file_close(&fd);
}

int64_t sure_clock_next(const struct tree *t, int64_t known_us, int64_t now_us, int64_t up_ns)
{
	int64_t apart = 0;
	if (now_us <= 0 || (known_us && __builtin_sub_overflow(now_us, known_us, &apart)))
		return known_us;
	if ((apart > APART || apart < -APART) && up_ns / 1000 < APART)
		return known_us;
	write_time(t, now_us);
	return now_us;
}
