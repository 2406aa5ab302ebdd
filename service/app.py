"""The application: routers, middleware, error handlers, workers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from classifier import __version__
from service import handlers, health
from service.access.routes import router as access
from service.audit.routes import router as audit
from service.catalogs.routes import router as catalogs
from service.errors import ErrorEnvelope
from service.limits import BodyLimitMiddleware
from service.predict.routes import router as predict
from service.registry.routes import router as registry
from service.reviews.routes import router as reviews
from service.runtime import Runtime
from service.settings import Settings
from service.supervision import background
from service.telemetry import TelemetryMiddleware
from service.webhooks.routes import router as webhooks

DESCRIPTION = "校外培训课程与广告的学科类鉴别与隐形变异线索。结果为疑似线索，供核查参考；是否属于学科类由教育行政部门鉴定。"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application for these settings, by default those of the environment. Raises ServiceError E401, E402."""
    runtime = Runtime(settings or Settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(runtime.close)
            await stack.enter_async_context(background(runtime))
            yield

    app = FastAPI(
        title="鉴课 jianke",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.runtime = runtime
    v1 = APIRouter(prefix="/v1", responses={"4XX": {"model": ErrorEnvelope}, "5XX": {"model": ErrorEnvelope}})
    for router in (predict, catalogs, reviews, registry, audit, webhooks, access):
        v1.include_router(router)
    app.include_router(v1)
    app.include_router(health.router)
    handlers.install(app)
    app.add_middleware(BodyLimitMiddleware, limit=runtime.settings.max_body_bytes)
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    app.add_middleware(TelemetryMiddleware, metrics=runtime.metrics)
    return app
