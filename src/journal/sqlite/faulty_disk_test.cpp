#include "journal/sqlite/faulty_disk.h"

#include <cstdlib>
#include <cstring>
#include <fstream>

namespace kedge {
namespace {

constexpr std::size_t sector = 512;

void put(std::string& content, std::size_t offset, std::string_view bytes) {
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
    content.replace(offset, bytes.size(), bytes);
}

}  // namespace

FaultyDisk::FaultyDisk(std::string name) : name_(std::move(name)), parent_(sqlite3_vfs_find(nullptr)), vfs_(*parent_) {
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + parent_->szOsFile;
    vfs_.pNext = nullptr;
    vfs_.xOpen = open;
    vfs_.xDelete = remove;
    sqlite3_vfs_register(&vfs_, 0);
}

FaultyDisk::~FaultyDisk() {
    sqlite3_vfs_unregister(&vfs_);
}

int FaultyDisk::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
    auto* const disk = static_cast<FaultyDisk*>(vfs->pAppData);
    File* const ours = of(file);
    ours->base.pMethods = nullptr;
    ours->disk = disk;
    ours->real = reinterpret_cast<sqlite3_file*>(ours + 1);
    const char* const slash = path == nullptr ? nullptr : std::strrchr(path, '/');
    std::strncpy(ours->name, slash == nullptr ? "temporary" : slash + 1, sizeof(ours->name) - 1);
    ours->name[sizeof(ours->name) - 1] = '\0';
    const int code = disk->parent_->xOpen(disk->parent_, path, ours->real, flags, out_flags);
    if (ours->real->pMethods != nullptr) ours->base.pMethods = &methods();
    return code;
}

int FaultyDisk::remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
    auto* const disk = static_cast<FaultyDisk*>(vfs->pAppData);
    const std::string name = std::strrchr(path, '/') + 1;
    disk->operations_.push_back({Operation::Kind::remove, name, 0, {}});
    if (sync_directory != 0) disk->operations_.push_back({Operation::Kind::sync, name, 0, {}});
    return disk->parent_->xDelete(disk->parent_, path, 0);
}

int FaultyDisk::write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    FaultyDisk* const disk = of(file)->disk;
    if (const int code = disk->write_.strikes(); code != SQLITE_OK) return code;
    disk->operations_.push_back({Operation::Kind::write, of(file)->name, offset,
                                 std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(count))});
    return real(file)->pMethods->xWrite(real(file), bytes, count, offset);
}

int FaultyDisk::truncate(sqlite3_file* file, sqlite3_int64 size) {
    of(file)->disk->operations_.push_back({Operation::Kind::truncate, of(file)->name, size, {}});
    return real(file)->pMethods->xTruncate(real(file), size);
}

int FaultyDisk::sync(sqlite3_file* file, int flags) {
    FaultyDisk* const disk = of(file)->disk;
    if (const int code = disk->sync_.strikes(); code != SQLITE_OK) return code;
    disk->operations_.push_back({Operation::Kind::sync, of(file)->name, 0, {}});
    // The sync itself is left out: what it promises is kept by `leave_after`, and the test is quicker.
    static_cast<void>(flags);
    return SQLITE_OK;
}

const sqlite3_io_methods& FaultyDisk::methods() {
    using F = sqlite3_file;
    static const sqlite3_io_methods forwarding = {
        .iVersion = 2,  // without xFetch: nothing is read behind our back through a map
        .xClose = [](F* f) { return real(f)->pMethods->xClose(real(f)); },
        .xRead = [](F* f, void* to, int n, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, n, at); },
        .xWrite = write,
        .xTruncate = truncate,
        .xSync = sync,
        .xFileSize = [](F* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
        .xLock = [](F* f, int how) { return real(f)->pMethods->xLock(real(f), how); },
        .xUnlock = [](F* f, int how) { return real(f)->pMethods->xUnlock(real(f), how); },
        .xCheckReservedLock = [](F* f, int* out) { return real(f)->pMethods->xCheckReservedLock(real(f), out); },
        .xFileControl = [](F* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
        .xSectorSize = [](F* f) { return real(f)->pMethods->xSectorSize(real(f)); },
        .xDeviceCharacteristics = [](F* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
        .xShmMap = [](F* f, int region, int size, int extend,
                      void volatile** out) { return real(f)->pMethods->xShmMap(real(f), region, size, extend, out); },
        .xShmLock = [](F* f, int offset, int n,
                       int flags) { return real(f)->pMethods->xShmLock(real(f), offset, n, flags); },
        .xShmBarrier = [](F* f) { real(f)->pMethods->xShmBarrier(real(f)); },
        .xShmUnmap = [](F* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); },
        .xFetch = nullptr,
        .xUnfetch = nullptr,
    };
    return forwarding;
}

void FaultyDisk::leave_after(std::size_t count, std::mt19937& random, const std::string& directory) const {
    std::map<std::string, std::size_t> synced;  // per file: operations before this index are on the disk
    for (std::size_t i = 0; i < count; ++i)
        if (operations_[i].kind == Operation::Kind::sync) synced[operations_[i].file] = i;
    std::map<std::string, std::string> files;
    for (std::size_t i = 0; i < count; ++i) {
        const Operation& operation = operations_[i];
        const bool certain = i < synced[operation.file];
        const unsigned fate = certain ? 0u : static_cast<unsigned>(random() % 3);  // there, missing, torn
        if (operation.kind == Operation::Kind::sync || fate == 1) continue;
        if (operation.kind == Operation::Kind::remove) {
            files.erase(operation.file);
            continue;
        }
        std::string& content = files[operation.file];
        if (operation.kind == Operation::Kind::truncate) {
            content.resize(static_cast<std::size_t>(operation.offset), '\0');
            continue;
        }
        std::string_view bytes = operation.bytes;
        if (fate == 2) bytes = bytes.substr(0, random() % (bytes.size() / sector + 1) * sector);
        put(content, static_cast<std::size_t>(operation.offset), bytes);
    }
    for (const auto& [name, content] : files) std::ofstream(directory + "/" + name, std::ios::binary) << content;
}

}  // namespace kedge
