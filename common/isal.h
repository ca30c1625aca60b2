/* What haul calls of ISA-L (https://github.com/intel/isa-l), and only through here.
 *
 * Its AVX functions end without VZEROUPPER (seen in 2.30). The upper halves of the vector registers
 * then stay in use, and every SSE instruction from there on, which is what a compiler makes for
 * plain x86-64, may have to wait for them: up to 80 ns each, measured on a Xeon with AVX-512, until
 * something clears them. See "Mixing AVX code with SSE code" in Intel's Optimization Reference
 * Manual. */
#ifndef HAUL_COMMON_ISAL_H
#define HAUL_COMMON_ISAL_H

#include <isa-l/crc64.h>
#include <isa-l/igzip_lib.h>
#include <stddef.h>
#include <stdint.h>

static inline void isal_leave(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper");
#endif
}

static inline uint64_t isal_crc64(uint64_t crc, const void *bytes, size_t len)
{
	uint64_t r = crc64_ecma_refl(crc, bytes, len);
	isal_leave();
	return r;
}

/* As isal_deflate: COMP_OK or an error. */
static inline int isal_deflate_some(struct isal_zstream *z)
{
	int r = isal_deflate(z);
	isal_leave();
	return r;
}

/* As isal_inflate: ISAL_DECOMP_OK or an error. */
static inline int isal_inflate_some(struct inflate_state *z)
{
	int r = isal_inflate(z);
	isal_leave();
	return r;
}

#endif
