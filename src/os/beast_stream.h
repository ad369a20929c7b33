// Our byte streams as Boost.Beast wants them: a synchronous stream whose calls end at a deadline.
//
// Beast is slow to compile: include this only in a .cpp that speaks HTTP or WebSocket.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <optional>

#include "os/wait.h"

namespace kedge {

// Borrows `bytes` (a Stream or a Transport), which must outlive it. What a stream's error code cannot
// say is kept in `failure`.
template <class Bytes>
class BeastStream {
public:
    using executor_type = boost::asio::system_executor;  // asked for by Beast, never run: no call is asynchronous

    BeastStream(Bytes& bytes, Until until_) : until(std::move(until_)), bytes_(&bytes) {}

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, boost::system::error_code& code) {
        for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
             ++at) {
            const boost::asio::mutable_buffer buffer = *at;
            if (buffer.size() == 0) continue;
            auto size = bytes_->read_some({static_cast<char*>(buffer.data()), buffer.size()}, until);
            if (!size) return fail(std::move(size).error(), code);
            code =
                *size == 0 ? boost::asio::error::make_error_code(boost::asio::error::eof) : boost::system::error_code{};
            return *size;
        }
        code = {};
        return 0;
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, boost::system::error_code& code) {
        std::string all;  // one segment instead of several small ones
        for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers);
             ++at) {
            const boost::asio::const_buffer buffer = *at;
            all.append(static_cast<const char*>(buffer.data()), buffer.size());
        }
        const auto written = bytes_->write_all(all, until);
        if (!written) return fail(written.error(), code);
        code = {};
        return all.size();
    }
    // The forms that throw are part of Beast's requirements; we call none of them.
    template <class Buffers>
    std::size_t read_some(const Buffers& buffers) {
        return or_throw([&](auto& code) { return read_some(buffers, code); });
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers) {
        return or_throw([&](auto& code) { return write_some(buffers, code); });
    }
    executor_type get_executor() const { return {}; }

    Until until;
    std::optional<Error> failure;

private:
    std::size_t fail(Error error, boost::system::error_code& code) {
        failure = std::move(error);
        code = boost::asio::error::make_error_code(boost::asio::error::operation_aborted);
        return 0;
    }
    static std::size_t or_throw(const auto& work) {
        boost::system::error_code code;
        const std::size_t size = work(code);
        if (code) throw boost::system::system_error(code);
        return size;
    }

    Bytes* bytes_;
};

// How Beast ends a WebSocket's stream; our connections are closed by their owners.
template <class Bytes>
void teardown(boost::beast::role_type, BeastStream<Bytes>&, boost::system::error_code& code) {
    code = {};
}
template <class Bytes>
void beast_close_socket(BeastStream<Bytes>&) {}

}  // namespace kedge
