"""/v1/institutions: enter, find, change, import."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, Path, Query, Request, Response, UploadFile

from service.access.roles import InstitutionPolicy, Principal
from service.deps import Permit, RequestId, RuntimeDep, SessionDep
from service.idempotency import TransactionalRoute
from service.registry import service
from service.registry.importing import import_register, read_register
from service.registry.schemas import ImportOut, InstitutionChange, InstitutionIn, InstitutionOut, InstitutionPage, Status
from service.uploads import received

router = APIRouter(prefix="/institutions", tags=["institutions 机构"], route_class=TransactionalRoute)
Reader = Annotated[Principal, Depends(Permit(InstitutionPolicy, "read"))]
Writer = Annotated[Principal, Depends(Permit(InstitutionPolicy, "write"))]
InstitutionId = Annotated[str, Path(max_length=32, pattern=r"^[^\x00]*$")]


@router.post("", name="create_institution", status_code=201, response_model=InstitutionOut)
def create_institution(
    given: InstitutionIn, principal: Writer, session: SessionDep, request: Request, response: Response, request_id: RequestId
) -> InstitutionOut:
    """登记一家机构；统一社会信用代码按 GB 32100-2015 校验，不得重复。"""
    institution = service.create_institution(session, principal, given, request_id)
    response.headers["Location"] = str(request.url_for("get_institution", institution_id=institution.id).path)
    return InstitutionOut.model_validate(institution, from_attributes=True)


@router.get("", name="list_institutions", response_model=InstitutionPage)
def list_institutions(
    principal: Reader,
    session: SessionDep,
    district: Annotated[str, Query(pattern=r"^\d{0,6}$", description="行政区划代码的前几位")] = "",
    status: Annotated[Status | None, Query(description="三转一止的结果")] = None,
    name: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="名称的一部分")] = "",
    after: Annotated[str | None, Query(max_length=32, pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> InstitutionPage:
    """辖区内的机构，按名称排列。"""
    found = service.institutions_page(session, principal, district=district, status=status, name=name, after=after, limit=limit)
    page = [InstitutionOut.model_validate(institution, from_attributes=True) for institution in found]
    return InstitutionPage(institutions=page, next=page[-1].id if len(page) == limit else None)


@router.get("/{institution_id}", name="get_institution", response_model=InstitutionOut)
def get_institution(institution_id: InstitutionId, principal: Reader, session: SessionDep) -> InstitutionOut:
    """一家机构。"""
    return InstitutionOut.model_validate(service.institution_by_id(session, principal, institution_id), from_attributes=True)


@router.patch("/{institution_id}", name="change_institution", response_model=InstitutionOut)
def change_institution(
    institution_id: InstitutionId, change: InstitutionChange, principal: Writer, session: SessionDep, request_id: RequestId
) -> InstitutionOut:
    """修改机构；状态改变时，其条目是否与状态相抵触随即重新判断，相抵触的转入复核。"""
    institution = service.change_institution(session, principal, institution_id, change, request_id)
    return InstitutionOut.model_validate(institution, from_attributes=True)


@router.post("/import", name="import_institutions", response_model=ImportOut)
def import_institutions(
    principal: Writer,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestId,
    file: Annotated[UploadFile, File(description="XLSX 或 CSV（UTF-8 或 GB18030），列名如 机构名称、统一社会信用代码、许可类别、状态")],
) -> ImportOut:
    """导入机构名册：按统一社会信用代码新增或修改，空格不改；有问题的行列在 errors，不影响其他。"""
    with received(file, runtime.settings.temp_dir) as (path, name):
        rows, errors = read_register(path, name, runtime.settings)
    return import_register(session, principal, rows, errors, request_id)
