// The border to the JVM: io.zoospan.Native. Text crosses it as UTF-8 bytes, because JNI's own strings are in another
// encoding; a handle is the plugin's address, and the Java side sees to it that it is used by no one after free.
// A native method that fails says so in its result. What the JVM itself raises (out of memory, a bad region) stays
// pending for the Java side, which catches everything; but bytes that did not come across are never offered, and the log
// loses a line rather than its thread.
#include <jni.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zs_plugin.h"

static struct zs_plugin *plugin_of(jlong handle) {
    return (struct zs_plugin *)(uintptr_t)handle; // NOLINT(performance-no-int-to-ptr)
}

// --- text ------------------------------------------------------------------------------------------------------------

// NUL-terminated and malloc'ed; NULL for a null array, or (with `failed`) when out of memory.
static char *text_in(JNIEnv *env, jbyteArray bytes, bool *failed) {
    if (!bytes)
        return NULL;
    jsize len = (*env)->GetArrayLength(env, bytes);
    char *text = malloc((size_t)len + 1);
    if (!text) {
        *failed = true;
        return NULL;
    }
    (*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)text);
    text[len] = '\0';
    return text;
}

static jbyteArray text_out(JNIEnv *env, const char *text) {
    jsize len = (jsize)strlen(text);
    jbyteArray bytes = (*env)->NewByteArray(env, len);
    if (bytes)
        (*env)->SetByteArrayRegion(env, bytes, 0, len, (const jbyte *)text);
    return bytes;
}

// --- open and close --------------------------------------------------------------------------------------------------

static jbyteArray native_version(JNIEnv *env, jclass type) {
    (void)type;
    return text_out(env, ZS_VERSION);
}

static char *element_in(JNIEnv *env, jobjectArray array, jsize i, bool *failed) {
    jbyteArray bytes = (*env)->GetObjectArrayElement(env, array, i);
    char *text = text_in(env, bytes, failed);
    if (!text)
        *failed = true;
    (*env)->DeleteLocalRef(env, bytes);
    return text;
}

static void free_pairs(struct zs_pair *pairs, jsize count) {
    for (jsize i = 0; pairs && i < count; i++) {
        free((void *)pairs[i].key);
        free((void *)pairs[i].value);
    }
    free(pairs);
}

static struct zs_pair *pairs_in(JNIEnv *env, jobjectArray keys, jobjectArray values, jbooleanArray fragile,
                                jsize count) {
    bool failed = false;
    struct zs_pair *pairs = calloc((size_t)count + 1, sizeof *pairs);
    for (jsize i = 0; pairs && !failed && i < count; i++) {
        pairs[i].key = element_in(env, keys, i, &failed);
        pairs[i].value = element_in(env, values, i, &failed);
        jboolean is_fragile = JNI_TRUE;
        (*env)->GetBooleanArrayRegion(env, fragile, i, 1, &is_fragile);
        pairs[i].fragile = is_fragile;
    }
    if (!failed)
        return pairs;
    free_pairs(pairs, count);
    return NULL;
}

// The handle, or 0 with the reason in error[0].
static jlong native_open(JNIEnv *env, jclass type, jobjectArray keys, jobjectArray values,
                         jbooleanArray fragile, jbyteArray file, jobjectArray error) {
    (void)type;
    struct zs_error e = {.code = ZS_FATAL, .text = "out of memory"};
    struct zs_plugin *plugin = NULL;
    bool failed = false;
    jsize count = (*env)->GetArrayLength(env, keys);
    char *name = text_in(env, file, &failed);
    struct zs_pair *pairs = failed ? NULL : pairs_in(env, keys, values, fragile, count);
    if (pairs)
        plugin = zs_plugin_open(pairs, (size_t)count, name, &e);
    free_pairs(pairs, count);
    free(name);
    if (!plugin) {
        jbyteArray text = text_out(env, e.text);
        if (text)
            (*env)->SetObjectArrayElement(env, error, 0, text);
    }
    return (jlong)(uintptr_t)plugin;
}

static void native_stop(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    zs_plugin_stop(plugin_of(handle));
}

static void native_free(JNIEnv *env, jclass type, jlong handle) {
    (void)env, (void)type;
    zs_plugin_free(plugin_of(handle));
}

// --- capture ---------------------------------------------------------------------------------------------------------

static void native_beginning(JNIEnv *env, jclass type, jlong handle, jlong zxid) {
    (void)env, (void)type;
    zs_plugin_beginning(plugin_of(handle), zxid);
}

static void native_logs(JNIEnv *env, jclass type, jlong handle, jbyteArray log_dir, jbyteArray snap_dir,
                        jlong floor, jboolean proposals) {
    (void)type;
    bool failed = false;
    char *log = text_in(env, log_dir, &failed), *snap = text_in(env, snap_dir, &failed);
    zs_plugin_logs(plugin_of(handle), failed ? NULL : log, failed ? NULL : snap, floor, proposals);
    free(log);
    free(snap);
}

static void native_begin(JNIEnv *env, jclass type, jlong handle, jlong base, jint chain) {
    (void)env, (void)type;
    zs_plugin_begin(plugin_of(handle), base, (enum zs_chain)chain);
}

static void native_lost(JNIEnv *env, jclass type, jlong handle, jlong zxid) {
    (void)env, (void)type;
    zs_plugin_lost(plugin_of(handle), zxid);
}

static jboolean native_offer(JNIEnv *env, jclass type, jlong handle, jlong zxid, jbyteArray bytes, jint len) {
    (void)type;
    struct zs_plugin *plugin = plugin_of(handle);
    bool sound = bytes && len >= 0 && len <= (*env)->GetArrayLength(env, bytes);
    uint8_t *space = sound ? zs_plugin_scratch(plugin, (size_t)len) : NULL;
    if (!space) {
        zs_plugin_lost(plugin, zxid);
        return JNI_FALSE;
    }
    (*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)space);
    if ((*env)->ExceptionCheck(env))
        return JNI_FALSE; // it reaches Capture.take, which counts it and says that the txn is lost
    return zs_plugin_offer(plugin, zxid, (size_t)len);
}

// --- the rest --------------------------------------------------------------------------------------------------------

static void native_history(JNIEnv *env, jclass type, jlong handle, jbyteArray text) {
    (void)type;
    bool failed = false;
    char *history = text_in(env, text, &failed);
    if (!failed)
        zs_plugin_history(plugin_of(handle), history);
    free(history);
}

static void native_marker(JNIEnv *env, jclass type, jlong handle, jbyteArray destination, jbyteArray json) {
    (void)type;
    bool failed = false;
    char *site = text_in(env, destination, &failed), *marker = text_in(env, json, &failed);
    if (site && !failed)
        zs_plugin_marker(plugin_of(handle), site, marker);
    free(site);
    free(marker);
}

static void native_serving(JNIEnv *env, jclass type, jlong handle, jboolean serving) {
    (void)env, (void)type;
    zs_plugin_serving(plugin_of(handle), serving);
}

static jbyteArray native_status(JNIEnv *env, jclass type, jlong handle) {
    (void)type;
    char *status = zs_plugin_status(plugin_of(handle));
    jbyteArray bytes = status ? text_out(env, status) : NULL;
    free(status);
    return bytes;
}

// line[0] receives the text. The result is its level (enum zs_level); -1: nothing yet; -2: the end.
static jint native_next_log(JNIEnv *env, jclass type, jlong handle, jint timeout_ms, jobjectArray line) {
    (void)type;
    struct zs_log_line got;
    switch (zs_plugin_next_log(plugin_of(handle), timeout_ms, &got)) {
    case ZS_NEXT_NOTHING:
        return -1;
    case ZS_NEXT_END:
        return -2;
    case ZS_NEXT_LINE:
        break;
    }
    jbyteArray text = text_out(env, got.text);
    free(got.text);
    if (text)
        (*env)->SetObjectArrayElement(env, line, 0, text);
    if ((*env)->ExceptionCheck(env)) {
        (*env)->ExceptionClear(env);
        return -1;
    }
    return (jint)got.level;
}

// --- images ----------------------------------------------------------------------------------------------------------

// names[0] receives the path, names[1] the destination. The result is the image's number; 0: none is wanted yet; -2: the end.
static jlong native_next_image(JNIEnv *env, jclass type, jlong handle, jint timeout_ms, jobjectArray names) {
    (void)type;
    struct zs_image_wish wish;
    switch (zs_plugin_next_image(plugin_of(handle), timeout_ms, &wish)) {
    case ZS_WISH_NONE:
        return 0;
    case ZS_WISH_END:
        return -2;
    case ZS_WISH:
        break;
    }
    jbyteArray path = text_out(env, wish.path), destination = text_out(env, wish.destination);
    if (path && destination) {
        (*env)->SetObjectArrayElement(env, names, 0, path);
        (*env)->SetObjectArrayElement(env, names, 1, destination);
    }
    if (!(*env)->ExceptionCheck(env))
        return (jlong)wish.id;
    zs_plugin_image(plugin_of(handle), wish.id, NULL);
    return 0;
}

// Called for every node of the tree: an ordinary path needs no memory.
static jint native_image_carries(JNIEnv *env, jclass type, jlong handle, jlong id, jbyteArray path) {
    (void)type;
    char ordinary[1024], *text = ordinary;
    jsize len = (*env)->GetArrayLength(env, path);
    if ((size_t)len >= sizeof ordinary && !(text = malloc((size_t)len + 1))) {
        zs_plugin_image(plugin_of(handle), id, NULL);
        return 0;
    }
    (*env)->GetByteArrayRegion(env, path, 0, len, (jbyte *)text);
    text[len] = '\0';
    int carries = zs_plugin_image_carries(plugin_of(handle), id, text);
    if (text != ordinary)
        free(text);
    return carries;
}

static jboolean native_image(JNIEnv *env, jclass type, jlong handle, jlong id, jbyteArray bytes, jint len) {
    (void)type;
    bool sound = bytes && len >= 0 && len <= (*env)->GetArrayLength(env, bytes);
    struct zs_image_chunk *chunk = sound ? zs_image_chunk_new((size_t)len) : NULL;
    if (chunk)
        (*env)->GetByteArrayRegion(env, bytes, 0, len, (jbyte *)chunk->bytes);
    return zs_plugin_image(plugin_of(handle), id, chunk);
}

// --- registration ----------------------------------------------------------------------------------------------------

// The JVM compares names and signatures with io.zoospan.Native. JNI's struct wants char * and void *.
#define METHOD(name, signature, function)                                                                    \
    { (char *)(name), (char *)(signature), (void *)(function) }
static const JNINativeMethod methods[] = {
    METHOD("version", "()[B", native_version),
    METHOD("open", "([[B[[B[Z[B[[B)J", native_open),
    METHOD("stop", "(J)V", native_stop),
    METHOD("free", "(J)V", native_free),
    METHOD("beginning", "(JJ)V", native_beginning),
    METHOD("logs", "(J[B[BJZ)V", native_logs),
    METHOD("begin", "(JJI)V", native_begin),
    METHOD("lost", "(JJ)V", native_lost),
    METHOD("offer", "(JJ[BI)Z", native_offer),
    METHOD("history", "(J[B)V", native_history),
    METHOD("marker", "(J[B[B)V", native_marker),
    METHOD("serving", "(JZ)V", native_serving),
    METHOD("nextImage", "(JI[[B)J", native_next_image),
    METHOD("imageCarries", "(JJ[B)I", native_image_carries),
    METHOD("image", "(JJ[BI)Z", native_image),
    METHOD("status", "(J)[B", native_status),
    METHOD("nextLog", "(JI[[B)I", native_next_log),
};

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *vm, void *reserved) {
    (void)reserved;
    JNIEnv *env;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_8) != JNI_OK)
        return JNI_ERR;
    jclass type = (*env)->FindClass(env, "io/zoospan/Native");
    if (!type)
        return JNI_ERR;
    // One by one: a jar of another version may lack a method. It must still find version() and be able to say what
    // is wrong, rather than fail with a riddle.
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if ((*env)->RegisterNatives(env, type, &methods[i], 1) != 0)
            (*env)->ExceptionClear(env);
    }
    (*env)->DeleteLocalRef(env, type);
    return JNI_VERSION_1_8;
}

JNIEXPORT void JNICALL JNI_OnUnload(JavaVM *vm, void *reserved) {
    (void)vm, (void)reserved;
}
