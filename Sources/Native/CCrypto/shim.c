#include "CCrypto.h"
#include <openssl/evp.h>

mw_sha256 *mw_sha256_new(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context) EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    return (mw_sha256 *)context;
}

void mw_sha256_update(mw_sha256 *hash, const void *bytes, size_t count) {
    if (hash && count) EVP_DigestUpdate((EVP_MD_CTX *)hash, bytes, count);
}

void mw_sha256_finish(mw_sha256 *hash, uint8_t *out) {
    if (!hash) return;
    EVP_DigestFinal_ex((EVP_MD_CTX *)hash, out, NULL);
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
}

void mw_sha256_once(const void *bytes, size_t count, uint8_t *out) {
    EVP_Digest(bytes, count, out, NULL, EVP_sha256(), NULL);
}

mw_md5 *mw_md5_new(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context) EVP_DigestInit_ex(context, EVP_md5(), NULL);
    return (mw_md5 *)context;
}

void mw_md5_update(mw_md5 *hash, const void *bytes, size_t count) {
    if (hash && count) EVP_DigestUpdate((EVP_MD_CTX *)hash, bytes, count);
}

void mw_md5_finish(mw_md5 *hash, uint8_t *out) {
    if (!hash) return;
    EVP_DigestFinal_ex((EVP_MD_CTX *)hash, out, NULL);
    EVP_MD_CTX_free((EVP_MD_CTX *)hash);
}
