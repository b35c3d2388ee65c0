"""FastAPI and ONNX Runtime, one worker, uvloop and httptools, as a tutorial has it: peer_fastapi.py PORT"""
from typing import Any

import uvicorn
from fastapi import FastAPI
from peer_app import NAMES, answer_of, decode, port, session_of
from pydantic import BaseModel


class Input(BaseModel):
    name: str
    type: str
    data: Any


class Body(BaseModel):
    inputs: list[Input]


app = FastAPI()


def add(name):
    run = session_of(name)

    @app.post("/" + name)
    async def inference(body: Body) -> dict:
        return answer_of(run(decode(body.inputs[0].type, body.inputs[0].data)))


for each in NAMES:
    add(each)
if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=port(), loop="uvloop", http="httptools", log_level="error",
                access_log=False)
