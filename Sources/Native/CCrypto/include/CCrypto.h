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

/// Public keys that signatures over SHA-256 are verified with. Every function tolerates NULL.
typedef struct mw_public_key mw_public_key;
/// From the big-endian bytes of modulus and exponent; NULL where they make no key.
mw_public_key *mw_rsa_public_key(const uint8_t *modulus, size_t modulus_size, const uint8_t *exponent, size_t exponent_size);
/// From the 32 bytes of each coordinate of a point of P-256; NULL where they are none.
mw_public_key *mw_p256_public_key(const uint8_t *x, const uint8_t *y);
int mw_public_key_bits(const mw_public_key *key);
void mw_public_key_free(mw_public_key *key);
/// 1 where an RSASSA-PKCS1-v1_5 signature is good (RFC 7518, section 3.3).
int mw_verify_rs256(const mw_public_key *key, const void *bytes, size_t count, const uint8_t *signature, size_t size);
/// 1 where an ECDSA signature of 64 bytes, R and S, is good (RFC 7518, section 3.4).
int mw_verify_es256(const mw_public_key *key, const void *bytes, size_t count, const uint8_t *signature, size_t size);
