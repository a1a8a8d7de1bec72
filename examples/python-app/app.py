"""An application of your own that remembers: POST /ann stores what Ann says, and answers with what a model should see next."""

import componentize_py_async_support
import wit_world
from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import context, messages
from wit_world.imports.holdfast_memory_types import Content_Text, NewMessage, Reading, Scope
from wit_world.imports.wasi_http_types import Fields, Request, Response


class Handler(exports.Handler):
    async def handle(self, request: Request) -> Response:
        user = request.get_path_with_query().strip("/")
        said = await body(request)
        try:
            return answer(200, await remember(Scope("default", user), said))
        except Err as error:
            return answer(502, repr(error.value))


async def remember(scope: Scope, said: str) -> str:
    message = NewMessage("user", Content_Text(said), *[None] * 9)
    stored = await messages.store(scope, "chat", [message], messages.Writing(None, None))
    need = context.Need("chat", said, 500, True, True, True)
    # The token of the store: this read sees it, on any host.
    packed = await context.retrieve(scope, need, Reading(None, stored.after, None))
    return packed.context


async def body(request: Request) -> str:
    done = wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    stream, read = Request.consume_body(request, done)[0], b""
    with stream:
        while not stream.writer_dropped:
            read += await stream.read(16 * 1024)
    return read.decode()


def answer(status: int, text: str) -> Response:
    writer, stream = wit_world.byte_stream()
    trailers = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
    response = Response.new(Fields(), stream, trailers(lambda: Ok(None))[1])[0]
    response.set_status_code(status)
    componentize_py_async_support.spawn(write(writer, text.encode()))
    return response


async def write(writer, data: bytes) -> None:
    with writer:
        await writer.write_all(data)
