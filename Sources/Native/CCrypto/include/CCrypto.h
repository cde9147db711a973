#pragma once
#include <stddef.h>
#include <stdint.h>

/// Streaming SHA-256 over OpenSSL's EVP interface. Every function tolerates NULL.
typedef struct mw_sha256 mw_sha256;
mw_sha256 *mw_sha256_new(void);
void mw_sha256_update(mw_sha256 *hash, const void *bytes, size_t count);
/// Writes 32 bytes and frees the hash.
void mw_sha256_finish(mw_sha256 *hash, uint8_t *out);
/// One-shot SHA-256: writes 32 bytes.
void mw_sha256_once(const void *bytes, size_t count, uint8_t *out);

/// Streaming MD5 over the same interface, for names that other programs give. Every function tolerates NULL.
typedef struct mw_md5 mw_md5;
mw_md5 *mw_md5_new(void);
void mw_md5_update(mw_md5 *hash, const void *bytes, size_t count);
/// Writes 16 bytes and frees the hash.
void mw_md5_finish(mw_md5 *hash, uint8_t *out);
