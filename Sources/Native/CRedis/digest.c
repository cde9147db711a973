#include <openssl/evp.h>
#include <stdio.h>

#include "internal.h"

void mw_redis_sha1(const void *bytes, size_t size, char *digest) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    digest[0] = 0;
    if (EVP_Digest(bytes, size, sum, &count, EVP_sha1(), NULL) != 1) return;
    for (unsigned int index = 0; index < count && index < 20; index++) {
        snprintf(digest + 2 * index, 3, "%02x", sum[index]);
    }
}
