; test optimize target=x86-64-v4
; test check

// The mean of two classifiers with a batch norm before each, as in LeViT: one product.
graph two_classifiers {
  %x = input : f32[2, 9, 8]
  %ga = weight : f32[8]
  %sa = weight : f32[8]
  %wa = weight : f32[8, 5]
  %ba = weight : f32[5]
  %gb = weight : f32[8]
  %sb = weight : f32[8]
  %wb = weight : f32[8, 5]
  %bb = weight : f32[5]
  %pool = reduce %x { op = mean, axis = 1 }
  %na = mul %pool, %ga
  %ma = add %na, %sa
  %pa = matmul %ma, %wa
  %ya = add %pa, %ba
  %nb = mul %pool, %gb
  %mb = add %nb, %sb
  %pb = matmul %mb, %wb
  %yb = add %pb, %bb
  %sum = add %ya, %yb
  %y = div %sum, 2.0
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 126 e-nodes, 13 iterations, saturated; over-number, term-through-weights ×2, add-constants-alike ×2, terms-of-sum, number-through-term, factor-into-weights ×2, sum-of-products, number-into-weights, view-in-place ×2
;   graph two_classifiers {
;     %x = input : f32[2, 9, 8]
;     %ga = weight : f32[8]
;     %sa = weight : f32[8]
;     %wa = weight : f32[8, 5]
;     %ba = weight : f32[5]
;     %gb = weight : f32[8]
;     %sb = weight : f32[8]
;     %wb = weight : f32[8, 5]
;     %bb = weight : f32[5]
;     %pool = reduce %x { op = mean, axis = 1 } : f32[2, 1, 8]
;     %10 = view %ga { map = "[8, 5] of 8: i0" } : f32[8, 5]
;     %11 = mul %wa, %10 : f32[8, 5]
;     %12 = view %gb { map = "[8, 5] of 8: i0" } : f32[8, 5]
;     %13 = mul %wb, %12 : f32[8, 5]
;     %14 = add %11, %13 : f32[8, 5]
;     %15 = const { value = 0.5 } : f32[8, 5]
;     %16 = mul %14, %15 : f32[8, 5]
;     %17 = matmul %pool, %16 : f32[2, 1, 5]
;     %18 = view %sa { map = "[1, 8] of 8: i1" } : f32[1, 8]
;     %19 = matmul %18, %wa : f32[1, 5]
;     %20 = view %ba { map = "[1, 5] of 5: i1" } : f32[1, 5]
;     %21 = add %19, %20 : f32[1, 5]
;     %22 = view %sb { map = "[1, 8] of 8: i1" } : f32[1, 8]
;     %23 = matmul %22, %wb : f32[1, 5]
;     %24 = view %bb { map = "[1, 5] of 5: i1" } : f32[1, 5]
;     %25 = add %23, %24 : f32[1, 5]
;     %26 = add %21, %25 : f32[1, 5]
;     %27 = const { value = 0.5 } : f32[1, 5]
;     %28 = mul %26, %27 : f32[1, 5]
;     %29 = view %28 { map = "[2, 1, 5] of 5: i2" } : f32[2, 1, 5]
;     %y = add %17, %29 : f32[2, 1, 5]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
