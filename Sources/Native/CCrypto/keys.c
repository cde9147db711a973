#include "CCrypto.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

static mw_public_key *key_from(const char *type, OSSL_PARAM_BLD *builder) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (parameters && context && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return (mw_public_key *)key;
}

mw_public_key *mw_rsa_public_key(const uint8_t *modulus, size_t modulus_size, const uint8_t *exponent, size_t exponent_size) {
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_size, NULL), *e = BN_bin2bn(exponent, (int)exponent_size, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    mw_public_key *key = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        key = key_from("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

mw_public_key *mw_p256_public_key(const uint8_t *x, const uint8_t *y) {
    uint8_t point[65] = {4};
    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    mw_public_key *key = NULL;
    if (builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        key = key_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

int mw_public_key_bits(const mw_public_key *key) { return key ? EVP_PKEY_get_bits((const EVP_PKEY *)key) : 0; }

void mw_public_key_free(mw_public_key *key) { EVP_PKEY_free((EVP_PKEY *)key); }

static int verify(const mw_public_key *key, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, (EVP_PKEY *)key) == 1 &&
               EVP_DigestVerify(context, signature, size, bytes, count) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

int mw_verify_rs256(const mw_public_key *key, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    return key && EVP_PKEY_is_a((const EVP_PKEY *)key, "RSA") && verify(key, bytes, count, signature, size);
}

int mw_verify_es256(const mw_public_key *key, const void *bytes, size_t count, const uint8_t *signature, size_t size) {
    if (!key || size != 64 || !EVP_PKEY_is_a((const EVP_PKEY *)key, "EC")) return 0;
    int good = 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL;  // the pair owns them now
        uint8_t *der = NULL;
        int length = i2d_ECDSA_SIG(pair, &der);
        if (length > 0) good = verify(key, bytes, count, der, (size_t)length);
        OPENSSL_free(der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return good;
}
