/* Memory at rest: see memory.h. Called by the agent when it has gone idle.
 *
 * Only segments that are not writable in the file are given back. Those that the loader relocates
 * and then protects (RELRO) belong to writable ones: their pages exist nowhere else. Cannot fail:
 * what the kernel does not take back stays. */
#include "common/memory.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int give_back(struct dl_phdr_info *info, size_t size, void *user)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)size;
	(void)user;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		uintptr_t from = (info->dlpi_addr + p->p_vaddr) / page * page;
		uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_filesz) / page * page;
		/* The address of a segment is all that the loader says. */
		if (from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED); /* NOLINT */
	}
	return 0;
}

void memory_rest(void)
{
	(void)malloc_trim(0);
	(void)dl_iterate_phdr(give_back, NULL);
}
