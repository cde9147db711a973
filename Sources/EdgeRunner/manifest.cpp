#include "manifest.hpp"

#include <sodium.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <memory>

namespace edge {

namespace {
constexpr size_t manifest_bytes_max = 16 << 20;
constexpr int64_t format = 1;

[[noreturn]] void damaged(const std::string &what) {
    throw failure{not_loaded, "manifest.json " + what, "Export the model again with this release"};
}

std::string slurp(const std::string &path) {
    std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) throw failure{not_loaded, path + " can not be opened", "Copy the whole folder that was exported"};
    std::string bytes;
    char buffer[1 << 16];
    while (size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) bytes.append(buffer, count);
    if (std::ferror(file.get())) throw failure{not_loaded, path + " can not be read", "Check the disk"};
    return bytes;
}

/// A node of a document with its kind checked.
class node {
  public:
    node(const mw_tree_view &tree, size_t index) : tree(tree), index(index) {}

    node at(const char *key) const {
        int64_t found = mw_tree_member(&tree, index, key, std::string_view(key).size());
        if (found < 0) damaged("has no '" + std::string(key) + "'");
        return node(tree, static_cast<size_t>(found));
    }
    bool has(const char *key) const { return mw_tree_member(&tree, index, key, std::string_view(key).size()) >= 0; }
    std::string text() const {
        const mw_value &value = expect(MW_VALUE_TEXT).value;
        return std::string(value.text.text, value.text.length);
    }
    int64_t whole() const { return expect(MW_VALUE_INT64).value.int64; }
    std::string key() const { return std::string(tree.nodes[index].key.text, tree.nodes[index].key.length); }
    std::vector<node> children(mw_value_kind kind = MW_VALUE_ARRAY) const {
        std::vector<node> found;
        for (size_t child = index + 1; child < expect(kind).end; child = tree.nodes[child].end)
            found.emplace_back(tree, child);
        return found;
    }
    std::vector<std::string> texts(const char *key) const {
        std::vector<std::string> found;
        if (has(key))
            for (const node &child : at(key).children()) found.push_back(child.text());
        return found;
    }

  private:
    const mw_node &expect(mw_value_kind kind) const {
        if (tree.nodes[index].value.kind != kind) damaged("has another form than this program reads");
        return tree.nodes[index];
    }

    const mw_tree_view &tree;
    size_t index;
};

std::vector<spec> specs(const node &list) {
    std::vector<spec> found;
    for (const node &member : list.children()) {
        spec one{member.at("name").text(), type_named(member.at("datatype").text()), {}, member.texts("columns"),
                 member.texts("labels")};
        for (const node &size : member.at("shape").children()) one.shape.push_back(size.whole());
        found.push_back(std::move(one));
    }
    if (found.empty()) damaged("names no inputs or no outputs");
    return found;
}
}  // namespace

manifest manifest::read(const std::string &folder) {
    std::string text = slurp(folder + "/manifest.json");
    std::unique_ptr<mw_json_parser, void (*)(mw_json_parser *)> parser(mw_json_parser_new(manifest_bytes_max, 32),
                                                                       mw_json_parser_free);
    mw_tree_view tree;
    mw_json_error error;
    if (mw_tree_parse(parser.get(), text.data(), text.size(), &tree, &error)) damaged(error.message);
    node root(tree, 0);
    if (root.at("format").whole() != format) damaged("is of a format that this program does not know");
    manifest made;
    made.folder = folder;
    made.name = root.at("name").text();
    made.version = root.at("version").text();
    made.runtime = root.at("runtime").text();
    made.model = root.at("model").text();
    for (const node &entry : root.at("files").children(MW_VALUE_OBJECT))
        made.files.push_back({entry.key(), entry.at("sha256").text()});
    made.inputs = specs(root.at("inputs"));
    made.outputs = specs(root.at("outputs"));
    return made;
}

std::string manifest::contents(const file &file) const {
    std::string bytes = slurp(folder + "/model/" + file.name);
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, reinterpret_cast<const unsigned char *>(bytes.data()), bytes.size());
    char hex[2 * sizeof digest + 1];
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    if (file.sha256 != hex)
        throw failure{not_loaded, file.name + " is not the file that was exported: its SHA-256 differs",
                      "Copy the folder again"};
    return bytes;
}

std::string manifest::contents() const {
    for (const file &file : files)
        if (file.name == model) return contents(file);
    damaged("does not list the model's own file");
}

std::string own_folder() {
    char path[PATH_MAX];
    ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0) throw failure{not_loaded, "the program can not find its own folder", "Mount /proc"};
    std::string_view text(path, static_cast<size_t>(length));
    return std::string(text.substr(0, text.rfind('/')));
}

}  // namespace edge
