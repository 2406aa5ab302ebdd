"""`jianke serve`."""

from service.cli.starting import checked, settings


def serve() -> None:
    """启动服务，地址与端口取自设置（JIANKE_HOST、JIANKE_PORT）。"""
    wanted = settings()
    import uvicorn

    from service.app import create_app
    from service.telemetry import set_up_logging

    app = create_app(wanted)
    checked(app.state.runtime.database)
    set_up_logging(wanted.log_level)
    uvicorn.run(app, host=wanted.host, port=wanted.port, log_config=None, access_log=False, timeout_graceful_shutdown=30)
