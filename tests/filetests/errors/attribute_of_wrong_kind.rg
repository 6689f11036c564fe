; test error

graph g {
  %x = input : f32[2, 3]
  %y = softmax %x { axis = last }
  return %y
}

; expect error
;   error: attribute `axis` is last
;    --> errors/attribute_of_wrong_kind.rg:5:28
;     |
;   5 |   %y = softmax %x { axis = last }
;     |                            ^^^^ expected an integer
