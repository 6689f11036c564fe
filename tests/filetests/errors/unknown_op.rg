; test error

graph g {
  %x = input : f32[2, 3]
  %y = sofmax %x { axis = -1 }
  return %y
}

; expect error
;   error: there is no op `sofmax`
;    --> errors/unknown_op.rg:5:8
;     |
;   5 |   %y = sofmax %x { axis = -1 }
;     |        ^^^^^^ expected `softmax`
